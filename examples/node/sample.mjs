/* Generate images with an exported sampler.onnx, which has sampler.json beside it:
 *
 * node sample.mjs sampler.onnx --seed 7 -n 16 -o grid.ppm    # or .f32: raw float32 [n, C, H, W] */

import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import ort from "onnxruntime-node";
import { latents } from "./latents.js";

/** Images, { data: Float32Array, dims: [n, C, H, W] }, in [0, 1]. */
async function sample(path, n, seed, temperature) {
  const session = await ort.InferenceSession.create(path);
  // onnxruntime-node does not expose a graph's metadata; the report beside it has them too.
  const report = JSON.parse(await readFile(path.replace(/\.onnx$/, ".json"), "utf8"));
  const size = report.latent_size;
  const feeds = {
    z: new ort.Tensor("float32", latents(n, size, report.latent_distribution, seed), [n, size]),
    temperature: new ort.Tensor("float32", [temperature ?? report.temperature], []),
  };
  if (report.classes) {
    const labels = BigInt64Array.from({ length: n }, (_, i) => BigInt(i % report.classes));
    feeds.label = new ort.Tensor("int64", labels, [n]);
  }
  return (await session.run(feeds)).image;
}

/** A grid of the images as the bytes of a PPM file. */
function ppm({ data, dims: [n, channels, height, width] }) {
  const columns = Math.ceil(Math.sqrt(n));
  const rows = Math.ceil(n / columns);
  const grid = Buffer.alloc(rows * height * columns * width * 3);
  for (let i = 0; i < n; i++) {
    const [top, left] = [Math.floor(i / columns) * height, (i % columns) * width];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        for (let c = 0; c < 3; c++) {
          const channel = i * channels + Math.min(c, channels - 1); // grayscale to RGB
          const value = data[(channel * height + y) * width + x];
          grid[((top + y) * columns * width + left + x) * 3 + c] = Math.round(255 * value);
        }
      }
    }
  }
  return Buffer.concat([Buffer.from(`P6 ${columns * width} ${rows * height} 255\n`), grid]);
}

const { values: options, positionals: [sampler = "sampler.onnx"] } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string" },
    n: { type: "string", short: "n" },
    temperature: { type: "string" },
    out: { type: "string", short: "o" },
  },
});
const { seed = "0", n = "16", temperature, out = "grid.ppm" } = options;
const images = await sample(sampler, Number(n), seed, temperature && Number(temperature));
await writeFile(out, out.endsWith(".f32") ? images.data : ppm(images));
