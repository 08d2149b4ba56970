/* Runs the graphs away from the page. Of each kind of job only the last that came is done, and a
 * grid is drawn a few pictures at a time, so that nothing ever queues up behind a slider. */

import { draw, walk } from "./latents.js";
import { pays, second } from "./second.js";

const ORDER = ["own", "morph", "grid", "strip"];
const PAUSE = 100; // milliseconds of work between two looks at what came meanwhile

let model, runtime, own, pace, other;
let busy = false;
const wanted = new Map();
const sessions = new Map();

onmessage = ({ data }) => {
  if (data.kind === "start") {
    model = data.model;
    const companion = pays(model) && !data.second ? second(model) : null;
    Promise.all([companion, load("sampler")]).then(
      ([found]) => {
        other = found;
        postMessage({ kind: "ready", threads: other ? 2 : runtime.env.wasm.numThreads });
      },
      (error) => postMessage({ kind: "failed", job: "start", message: error.message }),
    );
  } else if (data.kind === "share") {
    drawn(data).then(
      (images) => postMessage({ kind: "share", id: data.id, images }, [images.buffer]),
      () => postMessage({ kind: "failed" }),
    );
  } else {
    wanted.set(data.kind, { ...data, done: 0 });
    work();
  }
};

async function work() {
  if (busy) return;
  busy = true;
  for (let kind; (kind = next()); await breath()) {
    const job = wanted.get(kind);
    try {
      const finished = await JOBS[kind](job);
      if (finished && wanted.get(kind) === job) wanted.delete(kind);
    } catch (error) {
      if (wanted.get(kind) === job) wanted.delete(kind);
      postMessage({ kind: "failed", job: kind, id: job.id, message: error.message });
    }
  }
  busy = false;
}

/* What is done next: a grid that is soon done, else what shows soonest that something was moved. */
function next() {
  const grid = wanted.get("grid");
  return grid && most(grid) === grid.count ? "grid" : ORDER.find((one) => wanted.has(one));
}

/* How many pictures of a grid are drawn before the next look; a small rest goes along. */
function most({ count, done }) {
  const room = pace ? Math.max(1, Math.floor(PAUSE / pace)) : 2;
  return count - done <= 1.5 * room ? count - done : room;
}

/* Lets messages in. */
function breath() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/* Each job does a part of itself, posts it and says whether that was all. */
const JOBS = {
  async grid(job) {
    const first = job.done;
    const n = most(job);
    const began = performance.now();
    const found = await together(job, first, n);
    pace = (performance.now() - began) / n;
    job.done += n;
    post(job, found, { first, n, last: job.done === job.count });
    return job.done === job.count;
  },

  async morph(job) {
    post(job, await between(job.ends, job.t), { last: true });
    return true;
  },

  async strip(job) {
    const t = job.done / (job.steps - 1);
    const found = await between(job.ends, t);
    job.done += 1;
    post(job, found, { first: job.done - 1, n: 1, last: job.done === job.steps });
    return job.done === job.steps;
  },

  async own(job) {
    const encoder = await load("encoder");
    const shape = [1, model.channels, model.size, model.size];
    const feeds = { image: new runtime.Tensor("float32", job.image, shape) };
    if (job.label !== null) feeds.label = labelled([job.label]);
    const found = await run(encoder, feeds);
    const z = (found.z ?? found.mean).data.slice();
    if (!z.every(Number.isFinite)) throw new Error("The model finds no latent for this picture.");
    const back = await sample(z, 1, 1, job.label === null ? null : [job.label]);
    own = { id: job.id, z, temperature: 1, label: job.label };
    post(job, back, {
      last: true,
      difference: job.image.reduce((sum, v, i) => sum + Math.abs(v - back[i]), 0) / back.length,
      logProb: found.log_prob ? found.log_prob.data[0] : null,
    });
    return true;
  },
};

/* n pictures of a grid; the second worker, where there is one, draws the latter half. */
async function together(job, first, n) {
  const share = (from, count) => ({
    seed: job.seed,
    first: from,
    n: count,
    temperature: job.temperature,
    labels: job.labels?.slice(from, from + count),
  });
  const half = Math.ceil(n / 2);
  if (!other || half === n) return drawn(share(first, n));
  const rest = share(first + half, n - half);
  const theirs = other.draw(rest).catch(() => {
    other = null;
    return drawn(rest);
  });
  const found = await Promise.all([drawn(share(first, half)), theirs]);
  const images = new Float32Array(found[0].length + found[1].length);
  images.set(found[0]);
  images.set(found[1], found[0].length);
  return images;
}

/* n pictures of a seed, from the one with index first on. */
function drawn({ seed, first, n, temperature, labels }) {
  const z = draw(n, model.latent_size, model.latent_distribution, seed, first);
  return sample(z, n, temperature, labels);
}

/* The picture at t between two ends; from one temperature to the other, the class of the nearer. */
async function between(ends, t) {
  const [a, b] = ends.map(resolve);
  const z = walk(a.z, b.z, t, model.latent_distribution);
  const near = t < 0.5 ? a : b;
  const temperature = (1 - t) * a.temperature + t * b.temperature;
  return sample(z, 1, temperature, near.label === null ? null : [near.label]);
}

function resolve(end) {
  if (end.own && own) return own;
  const { latent_size: size, latent_distribution: distribution } = model;
  return { ...end, z: draw(1, size, distribution, end.seed, end.index ?? 0) };
}

/** Pictures [n, C, S, S] in [0, 1] of latents. */
async function sample(z, n, temperature, labels) {
  const sampler = await load("sampler");
  const feeds = {
    z: new runtime.Tensor("float32", z, [n, model.latent_size]),
    temperature: new runtime.Tensor("float32", [temperature], []),
  };
  if (labels) feeds.label = labelled(labels);
  return (await run(sampler, feeds)).image.data;
}

function labelled(labels) {
  return new runtime.Tensor("int64", BigInt64Array.from(labels, BigInt), [labels.length]);
}

/* The outputs of a graph by name; one that does not use an input has none of its name. */
async function run(session, feeds) {
  const taken = session.inputNames.map((name) => [name, feeds[name]]);
  try {
    return await session.run(Object.fromEntries(taken));
  } catch (error) {
    throw new Error(`The graph could not be run: load the page again. (${firstLine(error)})`);
  }
}

/* Posts pictures [n, C, S, S] as RGBA bytes, rounded as Python's grids are. */
function post(job, images, facts) {
  const { channels, size } = model;
  const area = size * size;
  const n = images.length / (channels * area);
  const rgba = new Uint8ClampedArray(n * area * 4);
  let broken = 0;
  for (let picture = 0; picture < n; picture++) {
    let finite = true;
    for (let i = 0; i < area; i++) {
      const to = (picture * area + i) * 4;
      for (let c = 0; c < 3; c++) {
        const value = images[(picture * channels + (channels === 1 ? 0 : c)) * area + i];
        finite &&= Number.isFinite(value);
        rgba[to + c] = value * 255;
      }
      rgba[to + 3] = 255;
    }
    broken += finite ? 0 : 1;
  }
  postMessage({ kind: job.kind, id: job.id, rgba, broken, ...facts }, [rgba.buffer]);
}

/* The session of a graph, made once; Error with a sentence for the user. */
function load(name) {
  if (!sessions.has(name)) {
    const made = make(model.graphs[name].file);
    made.catch(() => sessions.delete(name)); // so that it can be tried again
    sessions.set(name, made);
  }
  return sessions.get(name);
}

async function make(file) {
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
  let found;
  try {
    found = await import(new URL("ort.wasm.min.mjs", base).href);
  } catch {
    throw new Error(
      base.host === self.location.host
        ? `${base.href} lacks onnxruntime-web: write this folder again with zoo demo --ort.`
        : `onnxruntime-web could not be fetched from ${base.host}. Check the connection and load ` +
          "the page again; a folder written with zoo demo --ort needs no network.",
    );
  }
  found.env.wasm.wasmPaths = base.href;
  const cores = pays(model) ? 1 : (navigator.hardwareConcurrency ?? 1);
  const some = cores > 2 ? Math.ceil(cores / 2) : cores; // and of many, room for others
  found.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, some) : 1;
  found.env.logLevel = "error";
  return found;
}

async function fetchBytes(file) {
  const advice = "Load the page again, or write this folder again with zoo demo.";
  let response;
  try {
    response = await fetch(new URL(file, import.meta.url));
  } catch {
    throw new Error(`${file} could not be fetched. ${advice}`);
  }
  if (!response.ok) throw new Error(`${file} could not be fetched (${response.status}). ${advice}`);
  const total = Object.values(model.graphs).find((one) => one.file === file).bytes;
  const bytes = new Uint8Array(total);
  const reader = response.body.getReader();
  for (let done = 0, part; !(part = await reader.read()).done; ) {
    if (done + part.value.length > total) throw new Error(`${file} has another length. ${advice}`);
    bytes.set(part.value, done);
    done += part.value.length;
    postMessage({ kind: "progress", done, total });
  }
  return bytes;
}

function firstLine(error) {
  return String(error?.message ?? error).split("\n")[0].slice(0, 200);
}
