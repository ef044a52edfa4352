// @ts-check
// The worker of the page: it owns the models, and translates while the page stays responsive.

import { alternatives } from "./alternatives.mjs";
import { Engine } from "./engine.mjs";
import { bytes } from "../../viz/web/pack.mjs";

/**
 * Requests of the page. A request replaces an earlier one of its lane that is not answered yet.
 * @typedef {{ kind: "load", model: number, packed: string }} Load
 * @typedef {{
 *   kind: "translate", lane: string, number: number, model: number, line: string, begin: number[],
 *   settings: import("./engine.mjs").Settings,
 * }} Translate
 * @typedef {{
 *   kind: "alternatives", lane: string, number: number, model: number, line: string, begin: number[], spaced: boolean,
 * }} Alternatives
 * @typedef {{ kind: "stop", lane: string }} Stop
 */

/** How long the worker computes before it reads its messages, in milliseconds. */
const SLICE = 16;

/** How many alternatives a word has. */
const CHOICES = 8;

/** @type {Promise<Engine>[]} */
const engines = [];
/** The number of the latest request of each lane. @type {Map<string, number>} */
const latest = new Map();
/** Requests are answered one after the other, so that each is timed separately. */
let queue = Promise.resolve();

self.addEventListener("message", ({ data }) => {
  if (data.kind === "load") engines[data.model] = load(data);
  else if (data.kind === "stop") latest.delete(data.lane);
  else {
    latest.set(data.lane, data.number);
    queue = queue.then(() => answer(data)).catch((error) => {
      self.postMessage({ ...data, kind: "failed", text: `${error}` });
    });
  }
});

/** @param {Load} request @returns {Promise<Engine>} */
async function load({ model, packed }) {
  const stream = new Blob([bytes(packed.trim())]).stream().pipeThrough(new DecompressionStream("gzip"));
  const engine = new Engine(await new Response(stream).arrayBuffer());
  self.postMessage({ kind: "loaded", model });
  return engine;
}

/** @param {Translate | Alternatives} request */
async function answer(request) {
  const engine = await engines[request.model];
  const { line, begin, lane, number, model } = request;
  const head = { lane, number, model };
  if (request.kind === "alternatives") {
    const choices = await run(request, alternatives(engine, line, begin, request.spaced, CHOICES), () => undefined);
    if (choices) self.postMessage({ ...head, kind: "alternatives", choices });
    return;
  }
  const source = engine.describe(line), start = performance.now();
  const found = await run(request, engine.search(line, request.settings, begin), (written) =>
    self.postMessage({ ...head, kind: "partial", source, candidates: [engine.byWords(line, written)] }));
  if (!found) return;
  const milliseconds = performance.now() - start;
  const candidates = found.map((one) => engine.byWords(line, one));
  self.postMessage({ ...head, kind: "done", source, candidates, milliseconds });
}

/**
 * Run a search in slices; after each, `show` gets what is written so far.
 * @template Written
 * @template Result
 * @param {Translate | Alternatives} request
 * @param {Generator<Written, Result>} search
 * @param {(written: Written) => void} show
 * @returns {Promise<Result | undefined>} undefined if another request replaced this one
 */
async function run({ lane, number }, search, show) {
  await turn();
  let since = performance.now();
  while (latest.get(lane) === number) {
    const step = search.next();
    if (step.done) return step.value;
    if (performance.now() - since < SLICE) continue;
    show(step.value);
    await turn();
    since = performance.now();
  }
  return undefined;
}

/** Yield to waiting messages; a timer would take some milliseconds longer. @returns {Promise<void>} */
const turn = () => new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    resolve();
  };
  port2.postMessage(undefined);
});
