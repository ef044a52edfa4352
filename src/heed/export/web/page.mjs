// @ts-check
// The page that is a single file, with models that run in a worker.

import { App } from "./app.mjs";
import { byId } from "../../viz/web/dom.mjs";
import { unpack } from "../../viz/web/pack.mjs";

/** @returns {Worker} a worker with the script that is included in the page */
function startWorker() {
  // not a module, because a page opened from a file may not start a module worker
  const script = new Blob(["'use strict';", byId("worker").textContent ?? ""], { type: "text/javascript" });
  return new Worker(URL.createObjectURL(script));
}

const about = await unpack(byId("about").textContent ?? "");
const worker = startWorker();
for (const model of about.models.keys()) {
  worker.postMessage({ kind: "load", model, packed: byId(`model-${model}`).textContent });
}
new App(about, worker);
