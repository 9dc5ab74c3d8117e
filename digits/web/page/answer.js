// Shows answers. Bars move with every answer; the digit and its sentence only once they stand still.
import { LANGUAGE, text } from './text.js';
import * as paper from './paper.js';

const CALM = 400;                 // milliseconds for which an answer stays the same before it is said

const $ = (id) => document.getElementById(id);
let shown = '', next = '', latest = () => {}, calming = 0, asking = false;

// No network is sure of everything: 99.97 % is shown as 99.9 %.
function percent(share) {
  return new Intl.NumberFormat(LANGUAGE, { style: 'percent', maximumFractionDigits: 1 })
    .format(Math.min(share, 0.999));
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
  const { digit, sure, probability, probabilities, doubt } = answer;
  const like = /(\d)$/.exec(doubt || '');  // else it is unlike any digit
  $('answer').dataset.means = sure || like ? 'probabilities' : 'nearness';
  $('seen').src = `data:image/png;base64,${answer.image}`;
  $('seen').hidden = false;
  showBars(probabilities, digit);
  settle(`${digit} ${doubt}`, () => {
    if (sure) say('sure', digit, text.is(digit), text.sure(percent(probability)));
    else if (like) say('doubt', digit, text.perhaps(digit), text.like(+like[1]));
    else say('doubt', digit, text.unlike, text.nearest(digit));
  }, paper.isPicture() ? 0 : CALM);
}

function showPage(digits) {
  const words = digits.map(({ box, digit, sure }, at) => {
    const before = at ? digits[at - 1].box : box;
    const newLine = box[0] < before[0] || box[1] > before[3];
    return `${newLine ? '\n' : ' '}${digit}${sure ? '' : '?'}`;
  }).join('').trim();
  showBars(null, -1);
  $('seen').hidden = true;
  settle(words, () => say('page', '', text.several(digits.length), words),
    paper.isPicture() ? 0 : CALM);
}

// A sentence in place of an answer; half a drawing that is none yet is no reason for one.
export function showTrouble(kind) {
  const ofServer = ['busy', 'fault', 'offline'].includes(kind);
  if (!ofServer && paper.isDrawing()) return;
  paper.showBoxes([], {});
  showBars(null, -1);
  $('seen').hidden = true;
  settle(kind, () => say('sorry', '', ...(text[kind] || text.unreadable)),
    ofServer || paper.isPicture() || paper.isBlank() ? 0 : CALM);
}

export function showNothing() {
  showBars(null, -1);
  $('seen').hidden = true;
  settle('nothing', () => say('blank', '', text.nothing, text.toCome), 0);
}

// The ten probabilities, or null for none; the most probable digit.
function showBars(probabilities, best) {
  // Of what is unlike any digit, that which digit is nearest is all that they say.
  const isNearness = $('answer').dataset.means === 'nearness';
  [...$('bars').children].forEach((row, digit) => {
    const share = probabilities ? probabilities[digit] : 0;
    row.classList.toggle('best', digit === best);
    row.style.setProperty('--share', share);
    row.lastChild.textContent = probabilities && !isNearness ? percent(share) : '';
  });
}

export function makeBars() {
  for (let digit = 0; digit < 10; digit += 1) {
    const row = document.createElement('li');
    for (const part of ['name', 'bar', 'share']) {
      row.append(Object.assign(document.createElement('span'), { className: part }));
    }
    row.firstChild.textContent = digit;
    $('bars').append(row);
  }
}

// To a screen reader: once it stands still, or every stroke would be a flood of words.
let announcing = 0;
export function announce(sentence) {
  clearTimeout(announcing);
  announcing = setTimeout(() => { $('said').textContent = sentence; }, 700);
}
