import assert from "node:assert/strict";
import { test } from "node:test";

import { curve, rowsInView, step } from "../../../src/heed/viz/web/layout.mjs";

const FROM = { x: 10, y: 0, width: 20, height: 10 };
const TO = { x: 100, y: 50, width: 40, height: 10 };

test("a curve leads from the foot of a source word to the head of a target word", () => {
  assert.equal(curve(FROM, TO, false), "M20,10C20,30,120,30,120,50");
});

test("in columns it leads from the right of one to the left of the other", () => {
  assert.equal(curve(FROM, TO, true), "M30,5C65,5,65,55,100,55");
});

test("arrows move as the words stand and as their script runs", () => {
  // Catches an arrow against the reader's direction in Hebrew, and one that moves along where it should lead across.
  assert.equal(step("ArrowRight", false, false), 1);
  assert.equal(step("ArrowRight", false, true), -1);
  assert.equal(step("ArrowLeft", false, false), -1);
  assert.equal(step("ArrowDown", true, true), 1);
  assert.equal(step("ArrowUp", true, false), -1);
  assert.ok(step("ArrowDown", false, false) === 0);
  assert.ok(step("ArrowRight", true, false) === 0);
});

test("rows near the window exist, wherever the reader scrolls", () => {
  // Catches a list that is drawn whole, and gaps at either end.
  assert.deepEqual(rowsInView(-300, 800, 68, 10_000, 12), { first: 0, end: 20 });
  assert.deepEqual(rowsInView(68 * 500, 680, 68, 10_000, 12), { first: 488, end: 522 });
  assert.deepEqual(rowsInView(68 * 9_990, 680, 68, 10_000, 12), { first: 9_978, end: 10_000 });
  assert.deepEqual(rowsInView(-300, 800, 68, 0, 12), { first: 0, end: 0 });
});
