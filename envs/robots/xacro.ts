import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ArmatureError } from '../../src/core/errors.ts'

const MAX_BYTES = 64_000_000

/**
 * The URDF that the user's own `xacro` makes of a file.
 * @throws ArmatureError `not-found` where no xacro is installed, `corrupt-file` with the last line of what it says.
 */
export async function expandXacro(path: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('xacro', [path, ...args], { maxBuffer: MAX_BYTES })
    return stdout
  } catch (cause) {
    const { code, stderr } = cause as { readonly code?: unknown; readonly stderr?: string }
    if (code === 'ENOENT') {
      throw new ArmatureError('not-found', `xacro, which ${path} needs`, {
        fix: 'install it (it is part of ROS: ros-<distribution>-xacro), or expand the file elsewhere and give its URDF',
        cause,
      })
    }
    const got = stderr?.trim().split('\n').at(-1) ?? String(cause)
    throw new ArmatureError('corrupt-file', `xacro ${path}`, {
      expected: 'a robot',
      got,
      fix: 'arguments go into the option xacro, e.g. --set xacro=\'["ur_type:=ur5e"]\'',
      cause,
    })
  }
}
