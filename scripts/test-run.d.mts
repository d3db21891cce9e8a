/** What of the runner is tested; it is JavaScript, for it runs before there is a Node.js that reads types. */
export function failuresOf(report: object): readonly string[];
