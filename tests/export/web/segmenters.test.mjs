import assert from "node:assert/strict";
import { test } from "node:test";

import { unigram } from "../../../src/heed/export/web/segmenters.mjs";

test("sums are rounded to float32 before they are compared", () => {
  // Catches 00 + 0 in the place of 0 + 00: their sums differ in float64 alone, and the first of two equal ones stays.
  // Scores and result are SentencePiece's own for 10.000, with a vocabulary of Multi30k.
  const pieces = ["<unk>", "▁10", ".", "0", "00"];
  const scores = new Float32Array([0, -11.316815376281738, -2.753552198410034, -9.939155578613281, -10.973590850830078]);
  const vocabulary = {
    ids: new Map(pieces.map((piece, id) => [piece, id])), scores, types: new Uint8Array([2, 1, 1, 1, 1]), unk: 0,
    longest: 3, lowest: -12, highest: -2, fixed: [],
  };
  assert.deepEqual(unigram("▁10.000", vocabulary).map(([piece]) => piece), ["▁10", ".", "0", "00"]);
});
