/* A second worker, so that two cores compute: onnxruntime's own threads split each image, which saves
 * nothing for small graphs, and need an isolated page. */

const MAX_BYTES = 2 ** 25; // of a sampler that may be in memory twice

/** Whether a second worker should compute half of each grid. */
export function pays(model) {
  return navigator.hardwareConcurrency > 1 && model.graphs.sampler.bytes <= MAX_BYTES;
}

/** Resolves to the second worker once it is ready; null if the browser cannot start one. */
export function second(model) {
  const pending = new Map();
  let requests = 0;
  return new Promise((resolve) => {
    let worker;
    try {
      worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    } catch {
      resolve(null); // no workers inside a worker
      return;
    }
    const lost = () => {
      resolve(null);
      for (const { reject } of pending.values()) reject(new Error("the second worker failed"));
    };
    worker.onerror = lost;
    worker.onmessage = ({ data }) => {
      if (data.kind === "ready") resolve({ sample });
      else if (data.kind === "failed") lost();
      else if (data.kind === "share") {
        pending.get(data.id).resolve(data.images);
        pending.delete(data.id);
      }
    };
    worker.postMessage({ kind: "start", model, second: true });

    /* Images [n, C, S, S] in [0, 1] of a share of a grid. */
    function sample(share) {
      const id = requests++;
      worker.postMessage({ kind: "share", id, ...share });
      return new Promise((resolve, reject) => pending.set(id, { resolve, reject }));
    }
  });
}
