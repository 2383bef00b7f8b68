import type { RobotSpec } from '../../src/core/robot.ts'

/**
 * Reads the position that a robot's actions set from its proprioception, where it shows elements of the same names; undefined for a robot that
 * does not, and for velocities. Limits on speed start from it.
 *
 * @example
 * const poseOf = poseReader(robot.spec)
 * engine.reset(poseOf?.(reading.observation.proprio))
 */
export function poseReader({
  actionKind,
  actionSpace,
  proprioSpace,
}: Pick<RobotSpec, 'actionKind' | 'actionSpace' | 'proprioSpace'>):
  ((proprio: Float32Array) => Float32Array) | undefined {
  const { names } = actionSpace
  if (actionKind === 'velocity' || names === undefined) return undefined
  const places = names.map((name) => proprioSpace.names?.indexOf(name) ?? -1)
  if (places.includes(-1)) return undefined
  return (proprio) => Float32Array.from(places, (place) => proprio[place]!)
}
