"""Generate images with an exported sampler.onnx, onnxruntime and numpy:

python sample.py sampler.onnx --seed 7 -n 16 -o grid.ppm

An output that ends in .npy is the array, float32 [n, C, H, W] in [0, 1].
"""

import argparse
import json
import math

import numpy as np
import onnxruntime


def sample(path, n, seed, temperature=None):
    """Images, float32 ``[n, C, H, W]`` in [0, 1]."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    if temperature is None:
        temperature = json.loads(metadata["temperature"])  # the model's default
    feeds = {
        "z": latents(n, json.loads(metadata["latent_size"]), metadata["latent_distribution"], seed),
        "temperature": np.array(temperature, np.float32),
    }
    if classes := json.loads(metadata["classes"]):
        feeds["label"] = np.arange(n) % classes
    (images,) = session.run(["image"], feeds)
    return images


def latents(n, size, distribution, seed):
    """Latents, float32 ``[n, size]``; row i depends only on the seed and i, not on n."""
    if not 0 <= seed < 2**64:
        raise ValueError(f"the seed must be from 0 to 2^64 - 1, got {seed}")
    block, index = np.meshgrid(np.arange(-(-size // 4)), np.arange(n))
    words = np.stack(philox(block, index, seed), axis=-1)
    u = (words.astype(np.float64).reshape(n, -1) + 0.5) / 2**32
    if distribution == "normal":  # Box and Muller 1958
        radius, angle = np.sqrt(-2 * np.log(u[:, 0::2])), 2 * np.pi * u[:, 1::2]
        values = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(n, -1)
    elif distribution == "logistic":
        values = np.log(u) - np.log1p(-u)
    else:
        values = u
    return values[:, :size].astype(np.float32)


def philox(block, index, seed):
    """Philox-4x32-10 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3): four 32-bit
    words from each counter (block, index) and the key ``seed``."""
    low, half = np.uint64(2**32 - 1), np.uint64(32)
    block, index, seed = block.astype(np.uint64), index.astype(np.uint64), np.uint64(seed)
    c0, c1, c2, c3 = block & low, block >> half, index & low, index >> half
    k0, k1 = seed & low, seed >> half
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (p1 >> half) ^ c1 ^ k0, p1 & low, (p0 >> half) ^ c3 ^ k1, p0 & low
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
    return c0, c1, c2, c3


def ppm(images):
    """A grid of the images as the bytes of a PPM file."""
    n, _, height, width = images.shape
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    grid = np.zeros((rows * columns, 3, height, width), np.uint8)
    grid[:n] = np.rint(images * 255)  # grayscale to RGB
    grid = grid.reshape(rows, columns, 3, height, width).transpose(0, 3, 1, 4, 2)
    return f"P6 {columns * width} {rows * height} 255\n".encode() + grid.tobytes()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("sampler")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-n", type=int, default=16)
    parser.add_argument("--temperature", type=float)
    parser.add_argument("-o", "--out", default="grid.ppm")
    options = parser.parse_args()

    images = sample(options.sampler, options.n, options.seed, options.temperature)
    with open(options.out, "wb") as file:
        if options.out.endswith(".npy"):
            np.save(file, images)
        else:
            file.write(ppm(images))
