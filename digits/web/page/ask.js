// Asks POST /predict while you draw: at most one question is under way, and the newest drawing is
// the next. Tells the server which answer is final: of a drawing at rest, cleared or left.
import * as paper from './paper.js';

const PAUSE = 60;                 // milliseconds between two questions at least
const REST = 1500;                // without a stroke, and a drawing is at rest
const RETRY = 2000;               // after the server did not answer

let shows;                        // answer(), trouble(), blank(), busy(), wanted()
let underWay = false, waiting = false, lastAsked = 0;
let last = null;                  // {sent, number} of the newest drawing that was asked about
let told = true;                  // that its answer is final
let resting = 0;

export function start(callbacks) {
  shows = callbacks;
  paper.watch(() => {
    if (last && last.number !== paper.drawingNumber()) tellFinal();
    clearTimeout(resting);
    told = false;
    again();
  });
  addEventListener('pagehide', () => tellFinal({ keepalive: true }));
}

// Asks about the same drawing once more.
export function again() {
  if (paper.isBlank()) {
    waiting = false;
    last = null;
    shows.blank();
    if (!underWay) shows.busy(false);
    return;
  }
  waiting = true;
  shows.busy(true);
  if (underWay) return;
  underWay = true;
  setTimeout(askNow, Math.max(0, lastAsked + PAUSE - performance.now()));
}

function post({ body }, wanted, final, more) {
  return fetch(`predict?with=${wanted}${final ? '' : '&final=false'}`, {
    method: 'POST', body, headers: { 'Content-Type': body.type }, ...more,
  });
}

function tellFinal(how) {
  if (!last || told) return;
  told = true;
  post(last.sent, 'page', true, how).then((response) => response.text()).catch(() => {});
}

// How a pixel of the last drawing's layers came about: [layer, map, row, column] -> its sums.
export async function explain(place) {
  const response = await post(last.sent, `&pixel=${place}`, false);
  return (await response.json()).pixel;
}

async function askNow() {
  let pause = 0;
  waiting = false;
  lastAsked = performance.now();
  try {
    if (!paper.isBlank()) await askAbout(await paper.toSend(), paper.drawingNumber());
  } catch (trouble) {
    shows.trouble(['busy', 'fault'].includes(trouble.message) ? trouble.message : 'offline');
    waiting = true;
    pause = RETRY;
  }
  setTimeout(() => {
    underWay = false;
    if (waiting) again();
    else shows.busy(false);
  }, pause);
}

async function askAbout(sent, number) {
  const final = paper.isPicture() && !told;
  last = { sent, number };
  const response = await post(sent, shows.wanted(), final);
  const answer = await response.json();
  if (response.status >= 500) throw Error(response.status === 503 ? 'busy' : 'fault');
  told = told || final;
  if (number !== paper.drawingNumber() || paper.isBlank()) return;
  if (response.ok) shows.answer(answer, sent.place);
  else shows.trouble(answer.kind || 'unreadable');
  clearTimeout(resting);
  if (!waiting && !paper.isDrawing()) resting = setTimeout(tellFinal, REST);
}
