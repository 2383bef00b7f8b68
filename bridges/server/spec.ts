import { ArmatureError } from '../../src/core/errors.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import type { RobotSpec } from '../../src/core/robot.ts'
import type { BoxSpace } from '../../src/core/spaces.ts'
import type { BridgeMode } from '../protocol/messages.ts'

/**
 * That a robot's spec can be put behind the bridge.
 * @throws ArmatureError `bad-argument` that names the field
 */
export function checkSpec(spec: RobotSpec, mode: BridgeMode): void {
  const wrong = (what: string, expected: string, got: string): never => {
    throw new ArmatureError('bad-argument', `${what} of robot ${spec.name}`, { expected, got })
  }
  const { controlHz, maxEpisodeSteps } = spec
  if (!(Number.isFinite(controlHz) && controlHz > 0)) wrong('controlHz', 'a number above 0', String(controlHz))
  if (!(Number.isSafeInteger(maxEpisodeSteps) && maxEpisodeSteps >= 0)) {
    wrong('maxEpisodeSteps', 'a whole number from 0', String(maxEpisodeSteps))
  }
  if (sizeOf(spec.actionSpace.shape) === 0) wrong('actionSpace', 'at least one element', 'none')
  for (const key of ['actionSpace', 'proprioSpace', 'stateSpace'] as const) {
    const { names, shape }: BoxSpace = spec[key]
    const size = sizeOf(shape)
    if (shape.length !== 1) wrong(`${key}.shape`, 'one axis', `[${shape.join(', ')}]`)
    if (names !== undefined && names.length !== size) wrong(`${key}.names`, `${size} names`, String(names.length))
  }
  for (const [camera, { shape }] of Object.entries(spec.imageSpaces)) {
    if (shape.length !== 3 || shape[2] !== 3) wrong(`camera ${camera}`, '[height, width, 3]', `[${shape.join(', ')}]`)
  }
  if (mode === 'lockstep' && !spec.isSimulated) {
    throw new ArmatureError('bad-argument', `lock-step with ${spec.name}`, {
      expected: 'a simulated robot: time does not wait for a policy',
      got: 'hardware',
      fix: 'use realtime',
    })
  }
}
