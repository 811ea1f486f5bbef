/** Signing in with a token. */

import { h, put } from "../dom.js";
import { brandMark } from "../icons.js";
import { signIn } from "../session.js";
import { field } from "../parts/fields.js";
import { errorNote } from "../parts/notice.js";

/** @param {() => void} onDone @returns {HTMLElement} */
export function signInPage(onDone) {
  const token = h("input.input", { type: "password", autocomplete: "current-password", spellcheck: "false", placeholder: "mw_…", "data-testid": "token" });
  const problem = h("div", { "aria-live": "polite" });
  const button = h("button.btn.main-action", { type: "submit" }, "Sign in");
  const tokenField = field({ label: "Token", control: token, hint: ["Whoever runs this Millwork makes one with ", h("code", null, "millwork token create"), " or on the page Tokens."] });
  const submit = async (event) => {
    event.preventDefault();
    const text = token.value.trim();
    tokenField.problem(text ? null : "Paste a token; it begins with mw_.");
    if (!text) return token.focus();
    button.disabled = true;
    try {
      await signIn(text);
      onDone();
    } catch (error) {
      const wrong = error.status === 401;
      put(problem, errorNote(wrong ? { title: "This token is not known here", help: "It may have been taken back or have run out. Ask for a new one." } : error));
      button.disabled = false;
      token.select();
    }
  };
  queueMicrotask(() => token.focus());
  return h("main.signin", { id: "main" }, h("form.card", { novalidate: true, on: { submit } }, h("div.body", null,
    h("h1.brand", null, brandMark(), "Millwork"), tokenField.node, problem, button)));
}
