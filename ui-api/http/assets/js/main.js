/** The start: who is here, then the frame, then the page that the address names. */

import { startKeys } from "./keys.js";
import { renewTimes } from "./format.js";
import { start } from "./router.js";
import { loadSession } from "./session.js";
import { shell } from "./shell.js";
import { errorNote } from "./parts/notice.js";
import { signInPage } from "./views/signin.js";

const app = /** @type {HTMLElement} */ (document.getElementById("app"));
let asking = false;

async function begin() {
  try {
    await loadSession();
  } catch (error) {
    if (/** @type {any} */ (error).status === 401) return askToken();
    app.replaceChildren(errorNote(error, begin));
    return;
  }
  const frame = shell();
  app.replaceChildren(frame.node);
  await start(frame.main);
}

function askToken() {
  if (asking) return;
  asking = true;
  // A fresh page after sign-in, so that nothing of another session is left in memory.
  app.replaceChildren(signInPage(() => location.reload()));
}

document.addEventListener("millwork:signin", askToken);
startKeys();
setInterval(renewTimes, 1000);
begin();
