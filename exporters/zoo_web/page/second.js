/* A second worker beside the first, so that two cores draw: onnxruntime's own threads share each
 * picture, which for small graphs takes as long as it spares, and need a page that is isolated. */

const MOST = 2 ** 25; // bytes of a sampler that may lie in memory twice

/** Whether half of a grid is to be drawn by a second worker. */
export function pays(model) {
  return navigator.hardwareConcurrency > 1 && model.graphs.sampler.bytes <= MOST;
}

/** The second worker, when it is ready to draw; null where a browser has none to give. */
export function second(model) {
  const waiting = new Map();
  let asked = 0;
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
      for (const { reject } of waiting.values()) reject(new Error("the second worker is gone"));
    };
    worker.onerror = lost;
    worker.onmessage = ({ data }) => {
      if (data.kind === "ready") resolve({ draw });
      else if (data.kind === "failed") lost();
      else if (data.kind === "share") {
        waiting.get(data.id).resolve(data.images);
        waiting.delete(data.id);
      }
    };
    worker.postMessage({ kind: "start", model, second: true });

    /* Pictures [n, C, S, S] in [0, 1] of a share of a grid. */
    function draw(share) {
      const id = asked++;
      worker.postMessage({ kind: "share", id, ...share });
      return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
    }
  });
}
