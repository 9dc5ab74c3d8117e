// Shows answers. Bars move with every answer; the digit and its sentence only once they stand still.
import { LANGUAGE, text } from './text.js';
import * as paper from './paper.js';

const CALM = 400;                 // milliseconds for which an answer stays the same before it is said

const $ = (id) => document.getElementById(id);
let shown = '', next = '', latest = () => {}, calming = 0, asking = false;

// As digits/texts.py: one decimal place, 99.9 % at most, for no network is certain.
function percent(share) {
  return new Intl.NumberFormat(LANGUAGE, {
    style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1,
  }).format(Math.min(share, 0.999));
}

export function setBusy(busy) {
  asking = busy;
  $('answer').setAttribute('aria-busy', asking || Boolean(next));
}

// Says it after `calm` milliseconds, if nothing else is to be said by then.
function settle(key, say, calm) {
  latest = say;
  if (key === shown) {
    clearTimeout(calming);
    next = '';
    if (!paper.isDrawing()) say();
  } else if (key !== next || !calm) {
    clearTimeout(calming);
    next = key;
    if (calm) calming = setTimeout(commit, calm);
    else commit();
  }
  setBusy(asking);
}

function commit() {
  shown = next;
  next = '';
  latest();
  setBusy(asking);
}

function say(state, digit, sentence, more) {
  document.body.dataset.state = state;
  $('digit').textContent = digit;
  $('sentence').textContent = sentence;
  $('more').textContent = more;
  announce(`${sentence}. ${more}`);
}

export function showAnswer(answer, place) {
  paper.showBoxes(answer.digits || [], place);
  if (answer.digits) showPage(answer.digits);
  else showDigit(answer);
}

function showDigit(answer) {
  const { digit, sure, probability } = answer;
  const like = likeOf(answer);
  const networks = [answer, ...(answer.others || [])];
  $('seen').src = `data:image/png;base64,${answer.image}`;
  $('seen').hidden = false;
  showBars(networks);
  if (shown === 'nothing') settle('reading', () => say('blank', '', text.reading, text.toCome), 0);
  settle(`${digit} ${answer.doubt}`, () => {
    if (sure) say('sure', digit, text.is(digit), text.sure(percent(probability)));
    else if (like) say('doubt', digit, text.perhaps(digit), text.like(+like));
    else say('doubt', digit, text.unlike, text.nearest(digit));
    networks.forEach((each, at) => {
      $('networks').children[at].lastChild.textContent = each.sure ? each.digit : `${each.digit}?`;
    });
  }, paper.isPicture() ? 0 : CALM);
}

// The other digit that it could be, in a text; '' if it is sure, or unlike any digit.
function likeOf({ doubt }) {
  return (/\d$/.exec(doubt || '') || [''])[0];
}

function showPage(digits) {
  const words = digits.map(({ box, digit, sure }, at) => {
    const before = at ? digits[at - 1].box : box;
    const newLine = box[0] < before[0] || box[1] > before[3];
    return `${newLine ? '\n' : ' '}${digit}${sure ? '' : '?'}`;
  }).join('').trim();
  showBars([]);
  $('seen').hidden = true;
  settle(words, () => say('page', '', text.several(digits.length), words),
    paper.isPicture() ? 0 : CALM);
}

// A sentence in place of an answer; half a drawing that is none yet is no reason for one.
export function showTrouble(kind) {
  const ofServer = ['busy', 'fault', 'offline'].includes(kind);
  if (!ofServer && paper.isDrawing()) return;
  paper.showBoxes([], {});
  showBars([]);
  $('seen').hidden = true;
  settle(kind, () => say('sorry', '', ...(text[kind] || text.unreadable)),
    ofServer || paper.isPicture() || paper.isBlank() ? 0 : CALM);
}

export function showNothing() {
  showBars([]);
  $('seen').hidden = true;
  settle('nothing', () => say('blank', '', text.nothing, text.toCome), 0);
}

// The ten probabilities of each network's answer; none without an answer.
function showBars(networks) {
  if (!networks.length) {
    for (const name of $('networks').children) name.lastChild.textContent = '';
  }
  [...$('bars').children].forEach((row, digit) => {
    row.classList.toggle('best', networks.length > 0 && digit === networks[0].digit);
    const [bars, shares] = ['.bar', '.share'].map((part) => row.querySelectorAll(part));
    bars.forEach((bar, at) => {
      const answer = networks[at];
      // Of what is unlike any digit, the bars only say which digit is nearest.
      const isNearness = answer && !answer.sure && !likeOf(answer);
      const share = answer ? answer.probabilities[digit] : 0;
      bar.style.setProperty('--share', isNearness ? 0.4 * share : share);
      shares[at].textContent = answer && !isNearness ? percent(share) : '';
    });
  });
}

// Ten rows with a bar for each network, by the names of its runs.
export function makeBars(runs) {
  const scripts = runs.map((run) => run.split('/')[0]);
  const names = new Set(scripts).size === runs.length ? scripts : runs;
  $('networks').hidden = runs.length < 2;
  $('networks').replaceChildren(...names.map((name) => {
    const item = document.createElement('li');
    item.append(`${name} `, document.createElement('strong'));
    return item;
  }));
  $('bars').replaceChildren(...Array.from({ length: 10 }, (_, digit) => {
    const row = document.createElement('li');
    const part = (className) => Object.assign(document.createElement('span'), { className });
    row.append(part('name'), part('pair'), ...runs.map(() => part('share')));
    row.firstChild.textContent = digit;
    row.querySelector('.pair').append(...runs.map(() => part('bar')));
    return row;
  }));
}

// To a screen reader: once it stands still, or every stroke would be a flood of words.
let announcing = 0;
export function announce(sentence) {
  clearTimeout(announcing);
  announcing = setTimeout(() => { $('said').textContent = sentence; }, 700);
}
