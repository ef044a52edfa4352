// Prints the ids of the words of each line in a JSON list, and the text of these ids. A line such as "ids:4 5" gives
// the ids themselves.

import { readFileSync } from "node:fs";

import { readBlock } from "../../src/heed/export/web/packed.mjs";
import { Subwords } from "../../src/heed/export/web/subwords.mjs";

const [blockFile, linesFile] = process.argv.slice(2);
const block = readFileSync(blockFile);
const { header, arrays } = readBlock(block.buffer.slice(block.byteOffset, block.byteOffset + block.length));
const subwords = new Subwords(header.source, arrays);
const lines = JSON.parse(readFileSync(linesFile, "utf-8"));
process.stdout.write(JSON.stringify(lines.map((line) => {
  const words = line.startsWith("ids:") ? [line.slice(4).split(" ").map(Number)] : subwords.encodeWords(line);
  return { words, text: subwords.decode(words.flat()), index: subwords.wordIndex(words.flat()) };
})));
