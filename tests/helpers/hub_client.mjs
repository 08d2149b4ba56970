// Calls npm's @huggingface/hub and prints JSON: node hub_client.mjs MODULE HUB TOKEN.
import { pathToFileURL } from "node:url";

const [module, hubUrl, accessToken] = process.argv.slice(2);
const hub = await import(pathToFileURL(module));
const options = { hubUrl, accessToken };
const repo = "tester/glow";
const weights = new Uint8Array(512000).map((_, i) => i % 256);
const files = { "config.json": "{}", "model.safetensors": weights, "samples/é.txt": "1" };

async function attempt(call) {
  try {
    await call();
    return "done";
  } catch (error) {
    return [error.statusCode ?? null, error.message.split("\n")[0]];
  }
}

function commit(contents, more = {}) {
  const operations = Object.entries(contents).map(([path, content]) => ({
    operation: content === null ? "delete" : "addOrUpdate",
    path,
    content: content === null ? undefined : new Blob([content]),
  }));
  return hub.commit({ ...options, repo, title: "From Node", operations, ...more });
}

async function read(path, more = {}) {
  const blob = await hub.downloadFile({ ...options, repo, path, ...more });
  return blob && Buffer.from(await blob.arrayBuffer());
}

const user = (await hub.whoAmI(options)).name;
const created = await hub.createRepo({ ...options, repo });
const first = await commit(files);
const second = await commit({ "samples/é.txt": null, "config.json": "[]" }, { parentCommit: first.commit.oid });
await hub.createBranch({ ...options, repo, branch: "old", revision: first.commit.oid });
const listed = [];
for await (const file of hub.listFiles({ ...options, repo, recursive: true })) listed.push(file.path);
const space = { type: "space", name: "tester/demo" };
await hub.createRepo({ ...options, repo: space, sdk: "static" });
await commit({ "index.html": "<p>Node</p>" }, { repo: space });

console.log(JSON.stringify({
  user,
  url: created.repoUrl,
  first: first.commit.oid,
  second: second.commit.oid,
  listed,
  weights: Buffer.compare(await read("model.safetensors"), weights),
  config: [String(await read("config.json")), String(await read("config.json", { revision: "old" }))],
  range: [...(await hub.downloadFile({ ...options, repo, path: "model.safetensors" }).then(
    (blob) => blob.slice(300, 303).arrayBuffer()).then((bytes) => new Uint8Array(bytes)))],
  page: String(await read("index.html", { repo: space })),
  missing: await read("no"),
  again: await attempt(() => hub.createRepo({ ...options, repo })),
  late: await attempt(() => commit({ a: "1" }, { parentCommit: first.commit.oid })),
  wrong: await attempt(() => hub.whoAmI({ ...options, accessToken: "hf_wrong" })),
  nobody: await attempt(() => read("a", { repo: "tester/no" })),
}));
