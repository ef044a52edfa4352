// Prints the results of the engine for a JSON list of requests { line, settings, begin, ask }. With `ask`, they include
// the alternatives for the word after `begin`.

import { readFileSync } from "node:fs";

import { alternatives } from "../../src/heed/export/web/alternatives.mjs";
import { Engine } from "../../src/heed/export/web/engine.mjs";
import { finish } from "../../src/heed/export/web/search.mjs";

const [blockFile, requestsFile] = process.argv.slice(2);
const block = readFileSync(blockFile);
const engine = new Engine(block.buffer.slice(block.byteOffset, block.byteOffset + block.length));
const requests = JSON.parse(readFileSync(requestsFile, "utf-8"));
process.stdout.write(JSON.stringify(requests.map(({ line, settings, begin = [], ask = false }) => {
  const found = finish(engine.search(line, settings, begin));
  return {
    source: engine.describe(line),
    candidates: found.map((one) => ({ ...engine.byWords(line, one), attention: one.attention.map((row) => [...row]) })),
    alternatives: ask ? finish(alternatives(engine, line, begin, true, 8)) : [],
  };
})));
