import assert from "node:assert/strict";
import { test } from "node:test";

import {
  describe, isLit, partners, percent, readWeights, shades, spoken, visibleLinks,
} from "../../../src/heed/viz/web/weights.mjs";
import { HOUSE } from "./examples.mjs";

/** @param {number[]} levels */
const base64 = (levels) => Buffer.from(levels).toString("base64");

test("bytes become rows of target words", () => {
  // Catches rows and columns swapped, and a scale that is not 255.
  const { rows, ends } = readWeights(base64([255, 0, 51, 0, 102, 153]), 3, 2);
  assert.deepEqual(rows, [[1, 0, 0.2], [0, 0.4, 0.6]]);
  assert.equal(ends, null);
});

test("one column more than source words is the share of the end", () => {
  // Catches rows that are shifted by one a line when the end is there.
  const { rows, ends } = readWeights(base64([255, 0, 51, 0, 102, 153]), 2, 2);
  assert.deepEqual(rows, [[1, 0], [0, 0.4]]);
  assert.deepEqual(ends, [0.2, 0.6]);
});

test("no target word and no source word have no weight", () => {
  // Catches a division by zero for a model that writes nothing.
  assert.deepEqual(readWeights("", 3, 0), { rows: [], ends: null });
  assert.deepEqual(readWeights("", 0, 2), { rows: [[], []], ends: null });
});

test("links are drawn from 5 % on, and with a mark always", () => {
  // Catches a gold link that is not shown because the model overlooked it, and lines too faint to see.
  const drawn = visibleLinks(HOUSE).map(({ source, target, mark }) => [source, target, mark]);
  assert.deepEqual(drawn, [
    [0, 0, "sure"], [2, 0, "aligned"], [1, 1, undefined], [2, 1, undefined], [1, 2, "possible"],
  ]);
});

test("a focus lights its links alone", () => {
  // Catches a word that lights the links of its neighbour, and links that stay lit without a focus.
  assert.ok(isLit({ target: 1 }, { source: 2, target: 1 }));
  assert.ok(!isLit({ target: 0 }, { source: 2, target: 1 }));
  assert.ok(isLit({ source: 2, target: 1 }, { source: 2, target: 1 }));
  assert.ok(!isLit({ source: 1, target: 1 }, { source: 2, target: 1 }));
  assert.ok(!isLit(undefined, { source: 2, target: 1 }));
});

test("words are coloured by their link to the chosen word", () => {
  // Catches colours of the transposed map, and colours on the chosen word's own side.
  assert.deepEqual(shades(HOUSE, { target: 1 }), { source: [0, 0.2, 0.8], target: [0, 0, 0] });
  assert.deepEqual(shades(HOUSE, { source: 1 }), { source: [0, 0, 0], target: [0.02, 0.2, 0.97] });
  const none = { source: [0, 0, 0], target: [0, 0, 0] };
  assert.deepEqual(shades(HOUSE, undefined), none);
  assert.deepEqual(shades(HOUSE, { source: 1, target: 1 }), none);
});

test("partners come strongest first, the end of the source among them", () => {
  // Catches an arrow key that leads to a weaker link, and a share that is named nowhere.
  assert.deepEqual(partners(HOUSE, { target: 0 }).map(({ position }) => position), [0, null, 2, 1]);
  assert.deepEqual(partners(HOUSE, { source: 1 }).map(({ position }) => position), [2, 1, 0]);
});

test("a word is described by its shares", () => {
  // Catches source and target swapped, weak shares named, and a mark, a note or the end's share left out.
  assert.equal(spoken(describe(HOUSE, { target: 0 })), "la attends to the 50 %, </s> (end of the source) 40 %, house 8 %");
  assert.equal(
    spoken(describe(HOUSE, { target: 1 })),
    "maison attends to house 80 %, red 20 %. The word does not depend on its attention.");
  assert.equal(
    spoken(describe(HOUSE, { source: 1 })), "red (unknown to the model) is attended to by rouge 97 %, maison 20 %");
  assert.equal(spoken(describe(HOUSE, { source: 0, target: 0 })), "la attends to the 50 %, a sure gold link");
  const faint = { ...HOUSE, rows: [[0.04, 0, 0], [0, 0, 0], [0, 0, 0]], ends: null };
  assert.equal(spoken(describe(faint, { target: 0 })), "la attends to no word with 5 % or more");
});

test("words of the text are parts of their own", () => {
  // Catches a word joined with its neighbours, whose direction it would then disturb.
  assert.deepEqual(describe(HOUSE, { target: 2 }), [{ word: "rouge" }, " attends to ", "", { word: "red" }, " 97 %"]);
});

test("a share that does not exist is a dash", () => {
  assert.deepEqual([0.876, 0, 1, null].map(percent), ["88 %", "0 %", "100 %", "–"]);
});
