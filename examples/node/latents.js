/* Latents from a seed, equal to those of genzoo in Python. */

/** Float32Array [n * size]; row i depends only on the seed and i, not on n. The seed is a string of
 * digits or a BigInt, since a number holds only 53 of its 64 bits. */
export function latents(n, size, distribution, seed) {
  if (!/^\d+$/.test(seed) || BigInt(seed) >= 2n ** 64n) {
    throw new RangeError(`the seed must be from 0 to 2^64 - 1, got ${seed || "none"}`);
  }
  const z = new Float32Array(n * size);
  for (let index = 0; index < n; index++) {
    for (let start = 0; start < size; start += 4) {
      const words = philox(BigInt(start / 4), BigInt(index), BigInt(seed));
      const u = words.map((word) => (Number(word) + 0.5) / 2 ** 32);
      z.set(transform(u, distribution).slice(0, size - start), index * size + start);
    }
  }
  return z;
}

/* Transforms four uniform values on (0, 1) to another distribution. */
function transform(u, distribution) {
  if (distribution === "uniform") return u;
  if (distribution === "logistic") return u.map((v) => Math.log(v) - Math.log1p(-v));
  const [r, s] = [u[0], u[2]].map((v) => Math.sqrt(-2 * Math.log(v))); // Box and Muller 1958
  const [a, b] = [u[1], u[3]].map((v) => 2 * Math.PI * v);
  return [r * Math.cos(a), r * Math.sin(a), s * Math.cos(b), s * Math.sin(b)];
}

/* Philox-4x32-10: four 32-bit words from the counter (block, index) and the key (Salmon et al. 2011,
 * Parallel random numbers: as easy as 1, 2, 3). */
function philox(block, index, key) {
  const low = 0xffffffffn;
  let [c0, c1, c2, c3] = [block & low, block >> 32n, index & low, index >> 32n];
  let [k0, k1] = [key & low, key >> 32n];
  for (let round = 0; round < 10; round++) {
    const [p0, p1] = [0xd2511f53n * c0, 0xcd9e8d57n * c2];
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & low, (p0 >> 32n) ^ c3 ^ k1, p0 & low];
    [k0, k1] = [(k0 + 0x9e3779b9n) & low, (k1 + 0xbb67ae85n) & low];
  }
  return [c0, c1, c2, c3];
}
