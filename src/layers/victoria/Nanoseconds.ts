/** The clock knows no more than whole microseconds; what reads nanoseconds is told text, which loses none of their digits. */
export const nanoseconds = (milliseconds: number): string => `${Math.round(milliseconds * 1_000)}000`
