import type { Presentation } from "./api";

/** A presentation to ask next, and whether a break comes before it. */
export interface Step {
  presentation: Presentation;
  breakBefore: boolean;
}

/**
 * What is left to ask, in order. A presentation that was shown but not answered before a reload comes again at
 * the end of its block; the first step never begins with a break.
 */
export function remainingSteps(
  presentations: readonly Presentation[],
  answered: ReadonlySet<string>,
  interrupted: ReadonlySet<string>,
): Step[] {
  const steps: Step[] = [];
  for (const block of blocks(presentations)) {
    const open = block.filter((presentation) => !presentation.answered && !answered.has(presentation.id));
    const again = open.filter((presentation) => interrupted.has(presentation.id));
    const fresh = open.filter((presentation) => !interrupted.has(presentation.id));
    for (const [place, presentation] of [...fresh, ...again].entries()) {
      const breakBefore = place === 0 && steps.length > 0 && block[0]?.break_before === true;
      steps.push({ presentation, breakBefore });
    }
  }
  return steps;
}

function blocks(presentations: readonly Presentation[]): Presentation[][] {
  const made: Presentation[][] = [];
  for (const presentation of [...presentations].sort((a, b) => a.position - b.position)) {
    const last = made.at(-1);
    if (last?.[0]?.block === presentation.block) last.push(presentation);
    else made.push([presentation]);
  }
  return made;
}
