import { PsDateTime, PsTimeSpan } from './time.ts';

/** Every value that is not an Obj. */
export type PsScalar =
  | null
  | string
  | boolean
  | number
  | bigint
  | Uint8Array
  | PsChar
  | PsNumber
  | PsDecimal
  | PsDateTime
  | PsTimeSpan
  | PsGuid
  | PsUri
  | PsVersion
  | PsSemanticVersion
  | PsXml
  | PsScriptBlock
  | PsSecureString
  | PsProgress;

/** C: one UTF-16 code unit. [MS-PSRP] 2.2.5.1.2 Character. */
export class PsChar {
  /** 0 to 65535. */
  readonly code: number;
  constructor(code: number) {
    this.code = code;
  }
}

/** Tags of numbers that have no plain TypeScript form of their own. */
export type NumberTag = 'By' | 'SB' | 'I16' | 'U16' | 'U32' | 'U64' | 'Sg' | 'Db';

/** A number whose .NET type is neither Int32 nor Int64. [MS-PSRP] 2.2.5.1.6 to 2.2.5.1.15. */
export class PsNumber {
  readonly tag: NumberTag;
  /** bigint for U64 only. */
  readonly value: number | bigint;
  /** The text on the wire: floating point is written back exactly as it came. */
  readonly wireText: string;
  constructor(tag: NumberTag, value: number | bigint, wireText: string) {
    this.tag = tag;
    this.value = value;
    this.wireText = wireText;
  }
}

/** D: decimal with its digits and scale. [MS-PSRP] 2.2.5.1.16 Decimal. */
export class PsDecimal {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** G: lower case with hyphens. [MS-PSRP] 2.2.5.1.18 GUID. */
export class PsGuid {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** URI: kept as text, never validated or followed. [MS-PSRP] 2.2.5.1.19 URI. */
export class PsUri {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Version. [MS-PSRP] 2.2.5.1.21 Version. */
export class PsVersion {
  readonly major: number;
  readonly minor: number;
  /** -1 when absent. */
  readonly build: number;
  /** -1 when absent. */
  readonly revision: number;
  constructor(major: number, minor: number, build = -1, revision = -1) {
    this.major = major;
    this.minor = minor;
    this.build = build;
    this.revision = revision;
  }
  get text(): string {
    const parts = [this.major, this.minor];
    if (this.build >= 0) parts.push(this.build);
    if (this.build >= 0 && this.revision >= 0) parts.push(this.revision);
    return parts.join('.');
  }
}

/** SemanticVersion as a primitive; PowerShell 7.6 does not send it, readers accept it. */
export class PsSemanticVersion {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** XD: an XML document as text; never parsed here. [MS-PSRP] 2.2.5.1.22 XML Document. */
export class PsXml {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** SBK: script text; a Microsoft receiver makes a string of it. [MS-PSRP] 2.2.5.1.23 ScriptBlock. */
export class PsScriptBlock {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** SS: base64 of ciphertext, or of UTF-16LE under protocol 2.4. [MS-PSRP] 2.2.5.1.24 Secure String. */
export class PsSecureString {
  readonly cipherText: string;
  constructor(cipherText: string) {
    this.cipherText = cipherText;
  }
}

/** What PR carries. [MS-PSRP] 2.2.5.1.25 Progress Record. */
export interface PsProgressFields {
  readonly activity: string;
  readonly activityId: number;
  readonly currentOperation: string | null;
  readonly parentActivityId: number;
  readonly percentComplete: number;
  /** `Processing` or `Completed`. */
  readonly type: string;
  readonly secondsRemaining: number;
  readonly statusDescription: string;
}

/** PR: a progress record as a primitive; the PROGRESS_RECORD message uses a bag instead. */
export class PsProgress {
  readonly fields: PsProgressFields;
  constructor(fields: PsProgressFields) {
    this.fields = fields;
  }
}

export { PsDateTime, PsTimeSpan };
