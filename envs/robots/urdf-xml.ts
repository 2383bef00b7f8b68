import type { Element } from '@xmldom/xmldom'
import { DOMParser, ParseError } from '@xmldom/xmldom'
import type { ErrorCode, ErrorParts } from '../../src/core/errors.ts'
import { ArmatureError, nearestNames } from '../../src/core/errors.ts'

/** Of a description with its comments; large real ones have a tenth of it. */
const MAX_CHARACTERS = 2_000_000

/** Metres, radians, kilograms: beyond it positions and inertias would lose all their digits. */
const MAX_QUANTITY = 1e6

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

/** One element of a URDF file, which knows where it stands: everything that is read from it fails with its line. */
export class UrdfElement {
  readonly name: string
  readonly line: number
  readonly #element: Element
  readonly #file: string

  constructor(element: Element, file: string) {
    this.#element = element
    this.#file = file
    this.name = element.tagName
    this.line = element.lineNumber ?? 0
  }

  /** The error to throw about this element. */
  error(what: string, parts: ErrorParts = {}, code: ErrorCode = 'corrupt-file'): ArmatureError {
    return new ArmatureError(code, `${this.#file} line ${this.line}: ${what}`, parts)
  }

  /** All child elements, in order. */
  children(): UrdfElement[] {
    const found: UrdfElement[] = []
    for (let node = this.#element.firstChild; node !== null; node = node.nextSibling) {
      if (node.nodeType === node.ELEMENT_NODE) found.push(new UrdfElement(node as Element, this.#file))
    }
    return found
  }

  all(name: string): UrdfElement[] {
    return this.children().filter((child) => child.name === name)
  }

  /** The only child of that name, if there is one. */
  optional(name: string): UrdfElement | undefined {
    const [first, second] = this.all(name)
    if (second !== undefined) throw second.error(`a second <${name}> in <${this.name}>`, { expected: 'one at most' })
    return first
  }

  required(name: string): UrdfElement {
    const child = this.optional(name)
    if (child === undefined) throw this.error(`<${this.name}> has no <${name}>`)
    return child
  }

  /** Refuses children that look like a misspelt one of `known`; others are extensions of other programs, and ignored. */
  checkChildren(known: readonly string[]): void {
    for (const child of this.children()) {
      if (known.includes(child.name)) continue
      if (child.name.startsWith('xacro:')) throw child.xacroError(`<${child.name}>`)
      const near = nearestNames(child.name, known)
      if (near.length === 0) continue
      throw child.error(`unknown element <${child.name}> in <${this.name}>`, { fix: `did you mean <${near[0]}>?` })
    }
  }

  /** An attribute that may be absent. */
  attribute(name: string): string | undefined {
    const value = this.#element.getAttribute(name)
    if (value === null) return undefined
    if (/\$[({]/.test(value)) throw this.xacroError(`"${value}"`)
    return value.trim()
  }

  text(name: string): string {
    const value = this.attribute(name)
    if (value === undefined || value === '') throw this.error(`<${this.name}> needs the attribute ${name}`)
    return value
  }

  /** A finite number; `fallback` where the attribute is absent, which is an error without one. */
  number(name: string, fallback?: number): number {
    const value = this.attribute(name)
    if (value === undefined && fallback !== undefined) return fallback
    return this.#finite(name, this.text(name))
  }

  /** As {@link number}, of a size that geometry and masses have. */
  quantity(name: string, fallback?: number): number {
    return this.#quantity(name, this.number(name, fallback))
  }

  positive(name: string): number {
    const value = this.quantity(name)
    if (value <= 0) throw this.error(`<${this.name}> ${name}`, { expected: 'a number above 0', got: String(value) })
    return value
  }

  /** Numbers between spaces; `fallback` where the attribute is absent, which is an error without one. */
  vector(name: string, length: number, fallback?: readonly number[]): readonly number[] {
    const value = this.attribute(name)
    if (value === undefined && fallback !== undefined) return fallback
    const parts = this.text(name).split(/\s+/)
    if (parts.length !== length) {
      throw this.error(`<${this.name}> ${name}`, { expected: `${length} numbers`, got: quote(value!) })
    }
    return parts.map((part) => this.#quantity(name, this.#finite(name, part)))
  }

  #finite(name: string, written: string): number {
    const value = NUMBER.test(written) ? Number(written) : NaN
    if (Number.isFinite(value)) return value
    throw this.error(`<${this.name}> ${name}`, {
      expected: 'a finite number',
      got: quote(written),
      ...(/^[+-]?\d*,\d+/.test(written) ? { fix: 'write decimal points, not commas' } : {}),
    })
  }

  #quantity(name: string, value: number): number {
    if (Math.abs(value) <= MAX_QUANTITY) return value
    throw this.error(`<${this.name}> ${name}`, { expected: `at most ${MAX_QUANTITY} in SI units`, got: String(value) })
  }

  private xacroError(what: string): ArmatureError {
    const fix = 'expand it first (xacro robot.urdf.xacro > robot.urdf), or give the .xacro file itself'
    return this.error(`${what} is a xacro macro, not URDF`, { fix }, 'bad-argument')
  }
}

/**
 * The text of an XML file in UTF-8.
 * @throws ArmatureError `corrupt-file` for UTF-16.
 */
export function decodeXml(bytes: Uint8Array, file: string): string {
  const [first, second] = bytes
  const hasMark = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)
  if (hasMark || first === 0 || second === 0) {
    throw new ArmatureError('corrupt-file', file, {
      expected: 'text in UTF-8',
      got: 'UTF-16',
      fix: `save it as UTF-8, e.g. iconv -f UTF-16 -t UTF-8 ${file}`,
    })
  }
  return new TextDecoder().decode(bytes)
}

/**
 * The root element of an XML text; `file` stands before the line in errors.
 * @throws ArmatureError `corrupt-file` with the line where the text stops being XML.
 */
export function parseXml(xml: string, file: string): UrdfElement {
  if (xml.length > MAX_CHARACTERS) {
    throw new ArmatureError('corrupt-file', file, {
      expected: `at most ${MAX_CHARACTERS} characters`,
      got: String(xml.length),
    })
  }
  let reason: string | undefined
  const parser = new DOMParser({
    onError: (_level, message) => {
      reason ??= message
      throw new SyntaxError(message)
    },
  })
  try {
    return new UrdfElement(
      parser.parseFromString(withNamespaces(withoutDeclaration(xml)), 'text/xml').documentElement!,
      file,
    )
  } catch (cause) {
    const line = cause instanceof ParseError ? (cause.locator as { lineNumber?: number } | undefined)?.lineNumber : 0
    const where = line === undefined || line === 0 ? file : `${file} line ${line}`
    const got = (reason ?? (cause instanceof Error ? cause.message : String(cause))).split('\n')[0]!.slice(0, 120)
    throw new ArmatureError('corrupt-file', `${where}: not well-formed XML`, {
      got,
      cause,
    })
  }
}

/** Many files have a blank line before it, or an odd version in it; nothing depends on it once the text is decoded. */
function withoutDeclaration(xml: string): string {
  return xml.replace(/^\uFEFF?\s*<\?xml\s[^<>]*\?>/, (declaration) => declaration.replaceAll(/[^\n]/g, ' '))
}

/** Declares prefixes that the file does not, as those of Gazebo's controllers and sensors, which are read past. */
function withNamespaces(xml: string): string {
  const used = [...xml.matchAll(/<([A-Za-z_][\w.-]*):|\s([A-Za-z_][\w.-]*):[\w.-]+\s*=\s*["']/g)]
  const unknown = new Set(used.map(([, element, attribute]) => (element ?? attribute)!))
  const open = [...unknown].filter((prefix) => !/^xml/i.test(prefix) && !xml.includes(`xmlns:${prefix}`))
  const declarations = open.map((prefix) => ` xmlns:${prefix}="urn:${prefix}"`).join('')
  return declarations === '' ? xml : xml.replace(/<robot\b/, (root) => root + declarations)
}

/** A value of the file in a message: short, on one line. */
export function quote(value: string): string {
  const line = value.replaceAll(/\s+/g, ' ')
  return `"${line.length > 60 ? `${line.slice(0, 57)}...` : line}"`
}
