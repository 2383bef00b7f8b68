import type { MainModule, MjModel } from '@mujoco/mujoco'
import { ArmatureError } from '../../src/core/errors.ts'

/** Deep enough that `../` in paths does not leave the compiler's files. */
const FOLDER = '/1/2/3/4/5/6/7/8'

/** A model that MuJoCo has compiled, and the compiler, whose constants it is read with. */
export interface MujocoModel {
  readonly mujoco: MainModule
  readonly model: MjModel
}

/**
 * Compiles MJCF with MuJoCo itself (its WebAssembly build), which alone knows all of its defaults and conventions. The compiler is loaded on
 * the first use and anew each time, for what it takes of memory goes with it.
 * @param name of the main file, for errors.
 * @param files the main file and all that it names, by their paths from its folder, or absolute.
 * @throws ArmatureError `corrupt-file` with MuJoCo's words, which name the element and the line.
 */
export async function compileMjcf(name: string, files: ReadonlyMap<string, Uint8Array>): Promise<MujocoModel> {
  const { default: load } = await import('@mujoco/mujoco')
  const silent = (): void => {}
  const mujoco = await load({ print: silent, printErr: silent })
  for (const [path, content] of files) {
    const at = path.startsWith('/') ? path : `${FOLDER}/${path}`
    mujoco.FS.mkdirTree(at.slice(0, at.lastIndexOf('/')), 0o777)
    mujoco.FS.writeFile(at, content)
  }
  try {
    return { mujoco, model: mujoco.MjModel.from_xml_path(`${FOLDER}/${name}`) }
  } catch (cause) {
    throw new ArmatureError('corrupt-file', name, { got: wordsOf(cause), cause })
  }
}

/** What MuJoCo says of a file, in one line. */
function wordsOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause)
  return message
    .replaceAll(`${FOLDER}/`, '')
    .replace(/^(MuJoCo Error: |Loading error: |Error: |XML Error: )+/, '')
    .trim()
    .replaceAll(/\s*\n\s*/g, ', ')
}

/** The numbers of row `index` of an array of rows of `length`. */
export function rowOf(array: unknown, index: number, length: number): number[] {
  return Array.from((array as Float64Array).subarray(index * length, (index + 1) * length))
}

/** Kinds of what has a name. */
export const NAMED = { body: 1, joint: 3, site: 6, mesh: 10, equality: 17, tendon: 18 } as const

/** The name of one; empty for none. */
export function nameOf({ mujoco, model }: MujocoModel, kind: keyof typeof NAMED, index: number): string {
  return mujoco.mj_id2name(model, NAMED[kind], index)
}

/** A quaternion, which MuJoCo writes wxyz. */
export function quatOf(array: unknown, index: number): [number, number, number, number] {
  const [w, x, y, z] = rowOf(array, index, 4) as [number, number, number, number]
  return [x, y, z, w]
}
