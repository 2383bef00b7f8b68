import { COLUMNS, PATHS } from './layout.ts'
import type { ParquetFile } from '../parquet/file.ts'

/** What parquet stores a dtype of info.json as. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  float16: ['FIXED_LEN_BYTE_ARRAY', 'FLOAT'],
  float32: ['FLOAT'],
  float64: ['DOUBLE'],
  bool: ['BOOLEAN'],
  int8: ['INT32'],
  uint8: ['INT32'],
  int16: ['INT32'],
  uint16: ['INT32'],
  int32: ['INT32'],
  uint32: ['INT32', 'INT64'],
  int64: ['INT64'],
  uint64: ['INT64'],
  string: ['UTF8', 'BYTE_ARRAY'],
}

/** Columns that are read. */
const READ: readonly string[] = Object.values(COLUMNS)

/**
 * Holds the dtype of every feature against the type of its column: a line for each difference. Values of another number type are still
 * read as numbers; what is no number is refused where it is read.
 */
export function checkFeatures(
  features: Readonly<Record<string, { readonly dtype: string }>>,
  file: ParquetFile,
): string[] {
  return Object.entries(features).flatMap(([name, { dtype }]) => {
    if (dtype === 'video') return []
    if (!file.columns.includes(name)) {
      return READ.includes(name) || dtype === 'image'
        ? [`${file.path}: ${PATHS.info} declares ${name}, but there is no such column`]
        : []
    }
    const type = file.types[name]
    // A folder may say anything, `__proto__`, too.
    const expected = Object.hasOwn(TYPES, dtype) ? TYPES[dtype] : undefined
    if (expected === undefined || type === undefined || expected.includes(type)) return []
    return [`${file.path}: ${name} is declared ${dtype}, but stored as ${type}`]
  })
}
