/* Runs the graphs outside the page's thread. Only the newest job of each kind is done, and a grid is
 * computed a few images at a time, so that nothing queues up behind a slider. */

import { interpolate, latents } from "./latents.js";
import { pays, second } from "./second.js";

const ORDER = ["own", "morph", "grid", "strip"];
const SLICE = 100; // milliseconds of work between two checks for new messages

let model, runtime, own, pace, companion;
let busy = false;
const jobs = new Map();
const sessions = new Map();

onmessage = ({ data }) => {
  if (data.kind === "start") {
    model = data.model;
    const starting = pays(model) && !data.second ? second(model) : null;
    Promise.all([starting, load("sampler")]).then(
      ([started]) => {
        companion = started;
        postMessage({ kind: "ready", threads: companion ? 2 : runtime.env.wasm.numThreads });
      },
      (error) => postMessage({ kind: "failed", job: "start", message: error.message }),
    );
  } else if (data.kind === "share") {
    sampleSeed(data).then(
      (images) => postMessage({ kind: "share", id: data.id, images }, [images.buffer]),
      () => postMessage({ kind: "failed" }),
    );
  } else {
    jobs.set(data.kind, { ...data, done: 0 });
    work();
  }
};

async function work() {
  if (busy) return;
  busy = true;
  for (let kind; (kind = next()); await yieldToMessages()) {
    const job = jobs.get(kind);
    try {
      const finished = await JOBS[kind](job);
      if (finished && jobs.get(kind) === job) jobs.delete(kind);
    } catch (error) {
      if (jobs.get(kind) === job) jobs.delete(kind);
      postMessage({ kind: "failed", job: kind, id: job.id, message: error.message });
    }
  }
  busy = false;
}

/* The next kind of job: a grid that is nearly done, else the one that responds to input soonest. */
function next() {
  const grid = jobs.get("grid");
  return grid && sliceOf(grid) === grid.count ? "grid" : ORDER.find((kind) => jobs.has(kind));
}

/* The number of images in the next slice of a grid; a small remainder is included. */
function sliceOf({ count, done }) {
  const size = pace ? Math.max(1, Math.floor(SLICE / pace)) : 2;
  return count - done <= 1.5 * size ? count - done : size;
}

/* Lets pending messages be handled. */
function yieldToMessages() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/* Each job computes and posts one part, and returns whether it is done. */
const JOBS = {
  async grid(job) {
    const first = job.done;
    const n = sliceOf(job);
    const began = performance.now();
    const images = await sampleGrid(job, first, n);
    pace = (performance.now() - began) / n;
    job.done += n;
    post(job, images, { first, n, last: job.done === job.count });
    return job.done === job.count;
  },

  async morph(job) {
    post(job, await sampleBetween(job.ends, job.t), { last: true });
    return true;
  },

  async strip(job) {
    const t = job.done / (job.steps - 1);
    const images = await sampleBetween(job.ends, t);
    job.done += 1;
    post(job, images, { first: job.done - 1, n: 1, last: job.done === job.steps });
    return job.done === job.steps;
  },

  async own(job) {
    const encoder = await load("encoder");
    const shape = [1, model.channels, model.size, model.size];
    const feeds = { image: new runtime.Tensor("float32", job.image, shape) };
    if (job.label !== null) feeds.label = labelTensor([job.label]);
    const encoding = await run(encoder, feeds);
    const z = (encoding.z ?? encoding.mean).data.slice();
    if (!z.every(Number.isFinite)) throw new Error("The latent of this image is not finite.");
    const decoded = await sample(z, 1, 1, job.label === null ? null : [job.label]);
    own = { id: job.id, z, temperature: 1, label: job.label };
    post(job, decoded, {
      last: true,
      difference: job.image.reduce((sum, v, i) => sum + Math.abs(v - decoded[i]), 0) / decoded.length,
      logProb: encoding.log_prob ? encoding.log_prob.data[0] : null,
    });
    return true;
  },
};

/* n images of a grid; the second worker, if there is one, computes the second half. */
async function sampleGrid(job, first, n) {
  const share = (from, count) => ({
    seed: job.seed,
    first: from,
    n: count,
    temperature: job.temperature,
    labels: job.labels?.slice(from, from + count),
  });
  const half = Math.ceil(n / 2);
  if (!companion || half === n) return sampleSeed(share(first, n));
  const rest = share(first + half, n - half);
  const theirs = companion.sample(rest).catch(() => {
    companion = null;
    return sampleSeed(rest);
  });
  const halves = await Promise.all([sampleSeed(share(first, half)), theirs]);
  const images = new Float32Array(halves[0].length + halves[1].length);
  images.set(halves[0]);
  images.set(halves[1], halves[0].length);
  return images;
}

/* n images of a seed, from index first. */
function sampleSeed({ seed, first, n, temperature, labels }) {
  const z = latents(n, model.latent_size, model.latent_distribution, seed, first);
  return sample(z, n, temperature, labels);
}

/* The image at t between two ends, with interpolated temperature and the class of the nearer end. */
async function sampleBetween(ends, t) {
  const [a, b] = ends.map(resolve);
  const z = interpolate(a.z, b.z, t, model.latent_distribution);
  const { label } = t < 0.5 ? a : b;
  const temperature = (1 - t) * a.temperature + t * b.temperature;
  return sample(z, 1, temperature, label === null ? null : [label]);
}

function resolve(end) {
  if (end.own && own) return own;
  const { latent_size: size, latent_distribution: distribution } = model;
  return { ...end, z: latents(1, size, distribution, end.seed, end.index ?? 0) };
}

/* Images [n, C, S, S] in [0, 1] of latents. */
async function sample(z, n, temperature, labels) {
  const sampler = await load("sampler");
  const feeds = {
    z: new runtime.Tensor("float32", z, [n, model.latent_size]),
    temperature: new runtime.Tensor("float32", [temperature], []),
  };
  if (labels) feeds.label = labelTensor(labels);
  return (await run(sampler, feeds)).image.data;
}

function labelTensor(labels) {
  return new runtime.Tensor("int64", BigInt64Array.from(labels, BigInt), [labels.length]);
}

/* The outputs of a graph by name; a graph may lack inputs that it does not use. */
async function run(session, feeds) {
  const inputs = session.inputNames.map((name) => [name, feeds[name]]);
  try {
    return await session.run(Object.fromEntries(inputs));
  } catch (error) {
    throw new Error(`The graph could not run: reload the page. (${firstLine(error)})`);
  }
}

/* Posts images [n, C, S, S] as RGBA bytes, rounded as in Python's grids. */
function post(job, images, details) {
  const { channels, size } = model;
  const area = size * size;
  const n = images.length / (channels * area);
  const rgba = new Uint8ClampedArray(n * area * 4);
  let broken = 0;
  for (let image = 0; image < n; image++) {
    let finite = true;
    for (let i = 0; i < area; i++) {
      const target = (image * area + i) * 4;
      for (let c = 0; c < 3; c++) {
        const value = images[(image * channels + (channels === 1 ? 0 : c)) * area + i];
        finite &&= Number.isFinite(value);
        rgba[target + c] = value * 255;
      }
      rgba[target + 3] = 255;
    }
    broken += finite ? 0 : 1;
  }
  postMessage({ kind: job.kind, id: job.id, rgba, broken, ...details }, [rgba.buffer]);
}

/* The session of a graph, created once; rejects with a message for the user. */
function load(name) {
  if (!sessions.has(name)) {
    const session = create(model.graphs[name].file);
    session.catch(() => sessions.delete(name)); // so that it can be tried again
    sessions.set(name, session);
  }
  return sessions.get(name);
}

async function create(file) {
  runtime ??= await start();
  const bytes = await fetchBytes(file);
  try {
    return await runtime.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  } catch (error) {
    throw new Error(
      `${file} is not a graph that onnxruntime can run: write this folder again with zoo demo. ` +
        `(${firstLine(error)})`,
    );
  }
}

async function start() {
  const base = new URL(model.ort, import.meta.url);
  let ort;
  try {
    ort = await import(new URL("ort.wasm.min.mjs", base).href);
  } catch {
    throw new Error(
      base.host === self.location.host
        ? `${base.href} lacks onnxruntime-web: write this folder again with zoo demo --ort.`
        : `onnxruntime-web could not be fetched from ${base.host}. Check the connection and reload ` +
          "the page; a folder written with zoo demo --ort needs no network.",
    );
  }
  ort.env.wasm.wasmPaths = base.href;
  const cores = pays(model) ? 1 : (navigator.hardwareConcurrency ?? 1);
  const threads = cores > 2 ? Math.ceil(cores / 2) : cores; // leaves cores to others
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, threads) : 1;
  ort.env.logLevel = "error";
  return ort;
}

async function fetchBytes(file) {
  const advice = "Reload the page, or write this folder again with zoo demo.";
  let response;
  try {
    response = await fetch(new URL(file, import.meta.url));
  } catch {
    throw new Error(`${file} could not be fetched. ${advice}`);
  }
  if (!response.ok) throw new Error(`${file} could not be fetched (${response.status}). ${advice}`);
  const total = Object.values(model.graphs).find((graph) => graph.file === file).bytes;
  const bytes = new Uint8Array(total);
  const reader = response.body.getReader();
  for (let done = 0, part; !(part = await reader.read()).done; ) {
    if (done + part.value.length > total) throw new Error(`${file} has the wrong size. ${advice}`);
    bytes.set(part.value, done);
    done += part.value.length;
    postMessage({ kind: "progress", done, total });
  }
  return bytes;
}

function firstLine(error) {
  return String(error?.message ?? error).split("\n")[0].slice(0, 200);
}
