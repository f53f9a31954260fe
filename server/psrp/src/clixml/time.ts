/** 100 ns units of one second. */
const SECOND = 10_000_000n;
const DAY = 86_400n * SECOND;
/** Ticks at 1970-01-01T00:00:00. */
const UNIX_EPOCH = 621_355_968_000_000_000n;
const MAX_SPAN = 9_223_372_036_854_775_807n;

/** What a DateTime knows of its zone: `local` carries the sender's offset. */
export type DateTimeKind = 'utc' | 'local' | 'unspecified';

const DATE = /^\s*(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,7}))?(Z|[+-]\d\d:\d\d)?\s*$/;

function daysFrom(year: number, month: number, day: number): number | null {
  if (year < 1 || month < 1 || month > 12 || day < 1) return null;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  if (day > (month === 2 ? (leap ? 29 : 28) : 31 - (((month - 1) % 7) % 2))) return null;
  const before = year - 1;
  const days = before * 365 + Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400);
  // Days of the months before: 30.56 each from January on, and February gives back one or two.
  const inYear = Math.floor((275 * month) / 9) - (leap ? 1 : 2) * Math.floor((month + 9) / 12) - 30;
  return days + inYear + day - 1;
}

function clockTicks(hours: number, minutes: number, seconds: number, fraction: string): bigint | null {
  if (hours > 23 || minutes > 59 || seconds > 59) return null;
  return BigInt(hours * 3600 + minutes * 60 + seconds) * SECOND + BigInt(fraction.padEnd(7, '0'));
}

function offsetMinutes(zone: string): number | null {
  if (zone === '' || zone === 'Z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4, 6));
  if (hours > 14 || minutes > 59 || (hours === 14 && minutes > 0)) return null;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

/** DT: a point in time with 100 ns ticks and its kind; the text is kept as it came. [MS-PSRP] 2.2.5.1.4 Date/Time. */
export class PsDateTime {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  /** @returns null when the text is no date */
  static parse(text: string): PsDateTime | null {
    const value = new PsDateTime(text);
    return value.#clock() === null ? null : value;
  }
  /** A UTC value; `Date` has milliseconds only. */
  static fromDate(date: Date): PsDateTime {
    return new PsDateTime(date.toISOString().replace(/\.?0*Z$/, 'Z'));
  }
  #clock(): { ticks: bigint; offset: number; zone: string } | null {
    const m = DATE.exec(this.text);
    if (m === null) return null;
    const days = daysFrom(Number(m[1]), Number(m[2]), Number(m[3]));
    const clock = clockTicks(Number(m[4]), Number(m[5]), Number(m[6]), m[7] ?? '');
    const zone = m[8] ?? '';
    const offset = offsetMinutes(zone);
    if (days === null || clock === null || offset === null) return null;
    return { ticks: BigInt(days) * DAY + clock, offset, zone };
  }
  /** 100 ns units since 0001-01-01T00:00:00 of the clock that the text shows, its offset not applied. */
  get ticks(): bigint {
    return this.#clock()?.ticks ?? 0n;
  }
  get kind(): DateTimeKind {
    const zone = this.#clock()?.zone ?? '';
    return zone === '' ? 'unspecified' : zone === 'Z' ? 'utc' : 'local';
  }
  /** Minutes east of UTC; null when the kind is unspecified. */
  get offsetMinutes(): number | null {
    const clock = this.#clock();
    return clock === null || clock.zone === '' ? null : clock.offset;
  }
  /** The instant, cut to milliseconds; an unspecified kind is read as UTC. */
  toDate(): Date {
    const ticks = this.ticks - BigInt(this.offsetMinutes ?? 0) * 60n * SECOND;
    return new Date(Number((ticks - UNIX_EPOCH) / 10_000n));
  }
}

const SPAN =
  /^\s*(-)?P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?=\d|\.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d*)(?:\.(\d*))?S)?)?\s*$/;

function spanTicks(text: string): bigint | null {
  const m = SPAN.exec(text);
  if (m === null || m.slice(2).every((part: string | undefined) => part === undefined)) return null;
  const fields = m.slice(2).map((part: string | undefined) => part ?? '');
  const [years, months, days, hours, minutes, seconds, fraction] = fields;
  if (m[7] === '' && (fraction === '' || fraction === undefined)) return null;
  // A hostile text may hold a million digits; no field of a legal span has more than 20.
  if ([years, months, days, hours, minutes, seconds].some((part) => (part ?? '').length > 20)) return null;
  const whole = (digits: string | undefined): bigint => BigInt(digits === undefined || digits === '' ? '0' : digits);
  const dayCount = whole(years) * 365n + whole(months) * 30n + whole(days);
  const secondCount = dayCount * 86_400n + whole(hours) * 3600n + whole(minutes) * 60n + whole(seconds);
  const ticks = secondCount * SECOND + BigInt((fraction ?? '').slice(0, 7).padEnd(7, '0'));
  const signed = m[1] === '-' ? -ticks : ticks;
  return signed > MAX_SPAN || signed < -MAX_SPAN - 1n ? null : signed;
}

/** TS: a duration in 100 ns ticks; the text is kept as it came. [MS-PSRP] 2.2.5.1.5 Duration. */
export class PsTimeSpan {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  /** @returns null when the text is no duration */
  static parse(text: string): PsTimeSpan | null {
    return spanTicks(text) === null ? null : new PsTimeSpan(text);
  }
  /** The form that .NET writes: days are not folded into months. */
  static fromTicks(ticks: bigint): PsTimeSpan {
    const size = ticks < 0n ? -ticks : ticks;
    const days = size / DAY;
    const rest = size % DAY;
    const hours = rest / (3600n * SECOND);
    const minutes = (rest / (60n * SECOND)) % 60n;
    const seconds = (rest / SECOND) % 60n;
    const fraction = (rest % SECOND).toString().padStart(7, '0').replace(/0+$/, '');
    let clock = hours > 0n ? `${hours.toString()}H` : '';
    if (minutes > 0n) clock += `${minutes.toString()}M`;
    if (seconds > 0n || fraction !== '') clock += `${seconds.toString()}${fraction === '' ? '' : `.${fraction}`}S`;
    const date = days > 0n ? `${days.toString()}D` : '';
    const body = date === '' && clock === '' ? 'T0S' : `${date}${clock === '' ? '' : `T${clock}`}`;
    return new PsTimeSpan(`${ticks < 0n ? '-' : ''}P${body}`);
  }
  get ticks(): bigint {
    return spanTicks(this.text) ?? 0n;
  }
  /** Milliseconds, cut. */
  get milliseconds(): number {
    return Number(this.ticks / 10_000n);
  }
}
