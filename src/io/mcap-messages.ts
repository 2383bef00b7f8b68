import protobuf from 'protobufjs'
import descriptor from 'protobufjs/ext/descriptor.js'
import type { BoxSpace } from '../core/spaces.ts'
import { sizeOf } from '../core/ndarray.ts'

/** Values of `FieldDescriptorProto` in descriptor.proto. */
const LABEL = { optional: 1, repeated: 3 } as const
const TYPE = { double: 1, int64: 3, int32: 5, bool: 8, string: 9, message: 11, bytes: 12 } as const

interface FieldSpec {
  readonly name: string
  readonly number: number
  readonly type: keyof typeof TYPE
  readonly isRepeated?: boolean
  /** Full name of the message type, with a leading dot. */
  readonly typeName?: string
}

/** A protobuf message that channels of a file carry. */
export interface MessageType {
  /** Full name, by which viewers know what to do with it. */
  readonly name: string
  /** Binary `FileDescriptorSet` of its file and all that it imports: the schema of an MCAP channel. */
  readonly schema: Uint8Array
  encode(message: Readonly<Record<string, unknown>>): Uint8Array
}

const TIMESTAMP = {
  name: 'google/protobuf/timestamp.proto',
  package: 'google.protobuf',
  syntax: 'proto3',
  messageType: [
    {
      name: 'Timestamp',
      field: [field({ name: 'seconds', number: 1, type: 'int64' }), field({ name: 'nanos', number: 2, type: 'int32' })],
    },
  ],
}

/**
 * `foxglove.CompressedImage`, which Foxglove and Rerun show as a picture: `timestamp`, `frame_id`, `data`, `format`. Numbers and types are
 * those of Foxglove's own CompressedImage.proto.
 */
export function compressedImageType(): MessageType {
  return messageType('foxglove', 'CompressedImage', [
    { name: 'timestamp', number: 1, type: 'message', typeName: '.google.protobuf.Timestamp' },
    { name: 'frame_id', number: 4, type: 'string' },
    { name: 'data', number: 2, type: 'bytes' },
    { name: 'format', number: 3, type: 'string' },
  ])
}

/** What is known of an episode, at its first moment. */
export function episodeType(): MessageType {
  return messageType('armature', 'Episode', [
    { name: 'index', number: 1, type: 'int32' },
    { name: 'observations', number: 2, type: 'int32' },
    { name: 'policy', number: 3, type: 'string' },
    { name: 'terminated', number: 4, type: 'bool' },
    { name: 'outcome', number: 5, type: 'string' },
    { name: 'seed', number: 6, type: 'string' },
    { name: 'distractor', number: 7, type: 'string' },
    { name: 'objects', number: 8, type: 'int32', isRepeated: true },
    { name: 'goal', number: 9, type: 'double', isRepeated: true },
    { name: 'looks', number: 10, type: 'string' },
  ])
}

/** Named numbers, one double each, which both viewers plot without configuration. */
export interface NumbersType {
  readonly type: MessageType
  readonly fields: readonly string[]
}

/** `armature.<name>` with a field for each element of `space`, named as the element is, as far as protobuf allows. */
export function numbersType(name: string, space: BoxSpace): NumbersType {
  const fields = fieldNames(space)
  const specs = fields.map((fieldName, i) => ({ name: fieldName, number: fieldNumber(i), type: 'double' }) as const)
  return { type: messageType('armature', name, specs), fields }
}

/** The numbers 19000 to 19999 are protobuf's own. */
function fieldNumber(index: number): number {
  return index + 1 < 19_000 ? index + 1 : index + 1001
}

function fieldNames({ names, shape }: BoxSpace): readonly string[] {
  const taken = new Set<string>()
  return Array.from({ length: sizeOf(shape) }, (_, i) => {
    const plain = (names?.[i] ?? `element_${i}`).replaceAll(/\W/g, '_').replace(/^(?=\d|$)/, '_')
    let name = plain
    for (let copy = 2; taken.has(name); copy++) name = `${plain}_${copy}`
    taken.add(name)
    return name
  })
}

function messageType(packageName: string, name: string, fields: readonly FieldSpec[]): MessageType {
  const needsTime = fields.some(({ typeName }) => typeName === '.google.protobuf.Timestamp')
  const file = {
    name: `${packageName}/${name}.proto`,
    package: packageName,
    syntax: 'proto3',
    dependency: needsTime ? [TIMESTAMP.name] : [],
    messageType: [{ name, field: fields.map(field) }],
  }
  const { FileDescriptorSet } = descriptor
  const set = FileDescriptorSet.create({ file: needsTime ? [TIMESTAMP, file] : [file] })
  const schema = FileDescriptorSet.encode(set).finish()
  const type = protobuf.Root.fromDescriptor(schema, { keepCase: true }).lookupType(`${packageName}.${name}`)
  return {
    name: `${packageName}.${name}`,
    schema,
    encode: (message) => type.encode(type.create(message)).finish(),
  }
}

function field({ name, number, type, isRepeated = false, typeName }: FieldSpec): Readonly<Record<string, unknown>> {
  const plain = { name, number, type: TYPE[type], label: isRepeated ? LABEL.repeated : LABEL.optional }
  return typeName === undefined ? plain : { ...plain, typeName }
}
