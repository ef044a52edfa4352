// Reads a block and a JSON list of requests { line, settings, begin }, and prints what the engine makes of each.

import { readFileSync } from "node:fs";

import { Engine } from "../../src/heed/export/web/engine.mjs";
import { finish } from "../../src/heed/export/web/search.mjs";

const [blockFile, requestsFile] = process.argv.slice(2);
const block = readFileSync(blockFile);
const engine = new Engine(block.buffer.slice(block.byteOffset, block.byteOffset + block.length));
const requests = JSON.parse(readFileSync(requestsFile, "utf-8"));
process.stdout.write(JSON.stringify(requests.map(({ line, settings, begin }) => {
  const start = performance.now();
  const found = finish(engine.search(line, settings, begin));
  const milliseconds = performance.now() - start;
  return {
    milliseconds,
    source: engine.describe(line),
    candidates: found.map((one) => ({ ...engine.byWords(line, one), attention: one.attention.map((row) => [...row]) })),
  };
})));
