/** An address that leads nowhere. */

import { h } from "../dom.js";
import { empty } from "../parts/notice.js";
import { pageHead } from "../parts/page.js";

export default function missing(place) {
  return {
    title: "Not found",
    node: h("div.page", null, pageHead({ title: "No such page" }), h("section.card", null, empty(place.path, h("span", null, "Go to the ", h("a", { href: "/" }, "overview"), " or to all ", h("a", { href: "/runs" }, "runs"), ".")))),
  };
}
