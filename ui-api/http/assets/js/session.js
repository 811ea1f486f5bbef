/** Who is signed in, and what that allows. */

import { get, post, remove, setCsrf } from "./api.js";

const RANK = { viewer: 0, operator: 1, admin: 2 };

/** @type {{actor: string, role: string, csrf: string|null, open: boolean, version: string, home: string, folder: string, expires_at: string|null}|null} */
let current = null;

/** The session, or null before sign-in. */
export const session = () => current;

/** @param {"viewer"|"operator"|"admin"} role @returns {boolean} */
export const may = (role) => (RANK[current?.role ?? "viewer"] ?? 0) >= RANK[role];

/** Asks the server who we are. Rejects with status 401 if nobody. */
export async function loadSession() {
  return keep(await get("/session"));
}

/** @param {string} token */
export async function signIn(token) {
  return keep(await post("/session", { token }));
}

/** Ends the session here and at the server. */
export async function signOut() {
  await remove("/session");
  keep(null);
}

function keep(value) {
  current = value;
  setCsrf(value?.csrf ?? null);
  return value;
}
