/** Members that decide among `size`: more than half. 0 of 0. */
export const majority = (size: number): number => (size === 0 ? 0 : Math.floor(size / 2) + 1);
