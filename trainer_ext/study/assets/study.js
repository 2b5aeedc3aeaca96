"use strict";

// All text that comes from the study is set as textContent, never as markup.

const element = (id) => document.getElementById(id);
const token = location.hash.slice(1);
const LONGEST_WAIT = 8000; // milliseconds between two tries to save

const state = { attributes: [], tasks: 0, answers: {}, place: 0, active: 0 };
const texts = new Map(); // place -> promise of its task
const waiting = new Map(); // "place/attribute" -> choice that is not yet saved
let saves = 0; // answers saved so far, to tell a stale view of the server
let isSaving = false;

class Refusal extends Error {}

async function call(method, path, content) {
  const headers = { Authorization: `Bearer ${token}` };
  if (content) headers["Content-Type"] = "application/json";
  const response = await fetch(`api/${path}`, { method, headers, body: content && JSON.stringify(content) });
  if (response.ok) return response.status === 204 ? null : response.json();
  const { error } = await response.json().catch(() => ({ error: response.statusText }));
  // What a later try can mend is an Error like a lost connection.
  throw response.status >= 500 ? new Error(error) : new Refusal(error);
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function notice(text) {
  element("notice").textContent = text;
  element("notice").hidden = !text;
}

function status(text, isAlarm = false) {
  if (element("status").textContent !== text) element("status").textContent = text;
  element("status").classList.toggle("alarm", isAlarm);
}

// Answers

function answer(place, key) {
  return waiting.get(`${place}/${key}`) ?? state.answers[place]?.[key];
}

function isComplete(place) {
  return state.attributes.every(({ key }) => answer(place, key));
}

function incomplete() {
  return Array.from({ length: state.tasks }, (_, index) => index + 1).filter((place) => !isComplete(place));
}

function choose(key, choice) {
  if (element("questions").inert) return;
  const name = `${state.place}/${key}`;
  waiting.delete(name); // to the end of the queue
  waiting.set(name, choice);
  showAnswers();
  save();
}

// One at a time and in the order of the clicks, so that an earlier click never arrives after a later one.
async function save() {
  if (isSaving) return;
  isSaving = true;
  let wait = 500;
  while (waiting.size) {
    const [name, choice] = waiting.entries().next().value;
    const [place, key] = name.split("/");
    try {
      await call("PUT", `tasks/${name}`, { choice });
      saves += 1;
      wait = 500;
      (state.answers[place] ??= {})[key] = choice;
      if (waiting.get(name) === choice) waiting.delete(name);
      status(waiting.size ? "Saving…" : "Saved");
    } catch (error) {
      if (error instanceof Refusal) {
        waiting.delete(name);
        status("Not saved", true);
        notice(error.message);
      } else {
        status("Not saved yet, trying again. Keep this page open.", true);
        await pause(wait);
        wait = Math.min(2 * wait, LONGEST_WAIT);
      }
    }
    showAnswers();
  }
  isSaving = false;
}

// What another tab has answered meanwhile.
async function refresh() {
  const before = saves;
  try {
    const session = await call("GET", "session");
    if (before !== saves || isSaving) return;
    state.answers = session.answers;
    showAnswers();
  } catch (error) {
    if (error instanceof Refusal) notice(error.message);
  }
}

// Views

function buildQuestions() {
  state.attributes.forEach(({ key, question, hint }, index) => {
    const copy = element("question").content.cloneNode(true);
    const fieldset = copy.querySelector("fieldset");
    fieldset.querySelector("legend").textContent = question;
    fieldset.querySelector(".hint").textContent = hint;
    fieldset.querySelector(".hint").id = `hint-${key}`;
    fieldset.setAttribute("aria-describedby", `hint-${key}`);
    fieldset.addEventListener("focusin", () => activate(index));
    for (const input of fieldset.querySelectorAll("input")) {
      input.name = key;
      input.autocomplete = "off"; // browsers restore choices on reload, and with them a wrong view
      input.addEventListener("change", () => choose(key, input.value));
    }
    element("questions").append(copy);
  });
}

function activate(index) {
  state.active = index;
  element("questions").querySelectorAll("fieldset").forEach((fieldset, place) => {
    fieldset.classList.toggle("active", place === index);
  });
}

function showAnswers() {
  const done = state.tasks - incomplete().length;
  element("progress").max = state.tasks;
  element("progress").value = done;
  element("count").textContent = `${done} of ${state.tasks} done`;
  for (const input of element("questions").querySelectorAll("input")) {
    input.checked = answer(state.place, input.name) === input.value;
    input.classList.toggle("waiting", waiting.has(`${state.place}/${input.name}`));
  }
  element("next").classList.toggle("ready", state.place <= state.tasks && isComplete(state.place));
  if (!element("end").hidden) describeEnd();
}

function load(place) {
  if (!texts.has(place)) {
    const task = call("GET", `tasks/${place}`);
    texts.set(place, task);
    task.catch(() => texts.delete(place)); // the next look tries again
  }
  return texts.get(place);
}

async function show(place) {
  state.place = place;
  element("questions").inert = true; // until the texts are those of the new place
  const isEnd = place > state.tasks;
  element("previous").disabled = place <= 1;
  element("next").hidden = isEnd;
  if (isEnd) {
    element("task").hidden = true;
    element("end").hidden = false;
    showAnswers();
    element("end-title").focus();
    return;
  }
  let task;
  for (let wait = 500; !task; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    try {
      task = await load(place);
    } catch (error) {
      if (error instanceof Refusal) return notice(error.message);
      status("The server does not answer, trying again.", true);
      await pause(wait);
    }
    if (state.place !== place) return; // the rater went on meanwhile
  }
  if (!waiting.size && element("status").classList.contains("alarm")) status("");
  for (const name of ["document", "first", "second"]) element(name).textContent = task[name].trim() && task[name];
  element("place").textContent = `Comparison ${place} of ${state.tasks}`;
  element("end").hidden = true;
  element("task").hidden = false;
  element("document").scrollTop = 0;
  element("questions").inert = false;
  showAnswers();
  const open = state.attributes.findIndex(({ key }) => !answer(place, key));
  activate(Math.max(0, open));
  element("place").focus({ preventScroll: true });
  scrollTo(0, 0);
  if (place < state.tasks) load(place + 1).catch(() => {});
}

function describeEnd() {
  const open = incomplete();
  element("end-title").textContent = open.length ? "Some answers are missing" : "All done, thank you";
  element("end-text").textContent = open.length
    ? "These comparisons still have questions to answer:"
    : waiting.size
      ? "Your last answers are being saved. Keep this page open."
      : "All your answers are saved. You can close this page, or go back and change an answer.";
  // A button that is put in another's place while it is pressed gets no click.
  if (element("open").dataset.places === open.join(" ")) return;
  element("open").dataset.places = open.join(" ");
  element("open").replaceChildren(
    ...open.map((place) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = place;
      button.setAttribute("aria-label", `Go to comparison ${place}`);
      button.addEventListener("click", () => show(place));
      item.append(button);
      return item;
    }),
  );
}

// Keys

const CHOICE_KEYS = { 1: "first", 2: "second", 0: "equal" };

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (!element("shortcuts").checked || element("navigation").hidden) return;
  const key = event.key.toLowerCase();
  const choice = CHOICE_KEYS[key];
  if (choice && !element("task").hidden) {
    choose(state.attributes[state.active].key, choice);
    const fieldsets = element("questions").querySelectorAll("fieldset");
    const next = fieldsets[state.active + 1];
    if (next) (next.querySelector("input:checked") ?? next.querySelector("input")).focus();
    else element("next").focus();
  } else if (key === "n" && state.place <= state.tasks) show(state.place + 1);
  else if (key === "p" && state.place > 1) show(state.place - 1);
  else if (key === "?") element("help").open = !element("help").open;
  else return;
  event.preventDefault();
}

// Storage can be forbidden; the setting is then forgotten.
function remember(name, value) {
  try {
    if (value === undefined) return localStorage.getItem(name);
    localStorage.setItem(name, value);
  } catch {
    // Forgotten.
  }
  return null;
}

async function start() {
  if (!token) return notice("This page opens only by a rater's whole link, with everything behind its #.");
  let session;
  for (let wait = 500; !session; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    try {
      session = await call("GET", "session");
    } catch (error) {
      if (error instanceof Refusal) return notice(error.message);
      status("The server does not answer, trying again.", true);
      await pause(wait);
    }
  }
  status("");
  Object.assign(state, session);
  buildQuestions();
  const isNew = !Object.keys(state.answers).length;
  element("help").hidden = false;
  element("help").open = isNew;
  element("navigation").hidden = false;
  element("shortcuts").checked = remember("quals-study-keys") !== "off";
  element("shortcuts").addEventListener("change", (event) => {
    remember("quals-study-keys", event.target.checked ? "on" : "off");
  });
  element("previous").addEventListener("click", () => show(state.place - 1));
  element("next").addEventListener("click", () => show(state.place + 1));
  document.addEventListener("keydown", press);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  addEventListener("focus", refresh);
  addEventListener("beforeunload", (event) => waiting.size && event.preventDefault());
  await show(incomplete()[0] ?? state.tasks + 1);
}

element("questions").addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", () => location.reload());
start();
