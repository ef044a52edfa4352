// @ts-check
// The page of one sentence, as a notebook shows it: the map takes the place of the table that needs no script.

import { Card } from "./card.mjs";
import { byId, switchTheme } from "./dom.mjs";
import { unpack } from "./pack.mjs";

const entry = await unpack(byId("entry").textContent ?? "");
byId("table").hidden = true;
byId("sentence").hidden = false;
byId("theme").hidden = false;
byId("theme").addEventListener("click", switchTheme);
new Card().show(entry);
