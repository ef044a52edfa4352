// @ts-check
// The page of a server, which runs the models.

import { App } from "./app.mjs";
import { Server } from "./server.mjs";
import { byId } from "../../viz/web/dom.mjs";
import { unpack } from "../../viz/web/pack.mjs";

const about = await unpack(byId("about").textContent ?? "");
new App(about, new Server(about.models.map((/** @type {{ name: string }} */ { name }) => name)));
