// Reads a block and a JSON list of lines, and prints for each line the ids of its words and what they read as.

import { readFileSync } from "node:fs";

import { readBlock } from "../../src/heed/export/web/packed.mjs";
import { Subwords } from "../../src/heed/export/web/subwords.mjs";

const [blockFile, linesFile] = process.argv.slice(2);
const block = readFileSync(blockFile);
const { header, arrays } = readBlock(block.buffer.slice(block.byteOffset, block.byteOffset + block.length));
const subwords = new Subwords(header.source, arrays);
const lines = JSON.parse(readFileSync(linesFile, "utf-8"));
process.stdout.write(JSON.stringify(lines.map((line) => {
  const words = subwords.encodeWords(line);
  return { words, text: subwords.decode(words.flat()), index: subwords.wordIndex(words.flat()) };
})));
