/** Answers a stream of questions, line by line and in order. */
import { once } from "node:events";
import type { Writable } from "node:stream";
import type { Exit } from "../exit-codes.ts";
import { lineBytesMax, linesOf, type Line } from "./lines.ts";
import type { Answer } from "./page-answers.ts";
import { Question, QuestionError } from "./question.ts";

export type Answerer = (question: Question) => Answer | Promise<Answer>;

/**
 * One line of JSON for each line read. A line that can't be answered gets `{error, field}` in its place, and the exit
 * says so. The next line is read when the answer before it has been taken, so memory holds one line and one answer.
 */
export async function probeLines(
  answer: Answerer,
  input: AsyncIterable<Uint8Array>,
  output: Writable,
): Promise<Exit> {
  let exit: Exit = "done";
  const closed = new AbortController();
  // Whoever read the answers has seen enough.
  output.on("error", () => closed.abort());
  for await (const line of linesOf(input)) {
    if (closed.signal.aborted) break;
    let told: Answer;
    try {
      told = await answer(questionOf(line));
    } catch (error) {
      if (!(error instanceof QuestionError)) throw error;
      told = { error: error.message, field: error.field };
      exit = "usage";
    }
    if (output.write(`${JSON.stringify(told)}\n`) || closed.signal.aborted) continue;
    await Promise.race([once(output, "drain", { signal: closed.signal }), once(output, "close")]).catch(
      () => {},
    );
  }
  return exit;
}

function questionOf(line: Line): Question {
  switch (line.kind) {
    case "line":
      return new Question(line.text);
    case "too_long":
      throw new QuestionError(null, `the line is longer than ${lineBytesMax} bytes`);
    case "no_utf8":
      throw new QuestionError(null, "the line is no UTF-8");
    default:
      return line satisfies never;
  }
}
