// Where somebody works: at a desk clips are labelled, at another ties are decided. The work is the
// same; answers go elsewhere, and a few words differ.

import { nothingLeft, nothingToDecide } from "./pages.js";
import { feedbackNotice, othersNotice } from "./wording.js";

const LABELLING = {
  name: "labels",
  hasUndo: true,
  counted: ({ n_today, n_answers }) => `Today ${n_today} · in all ${n_answers}`,
  banner: (task) => (task.is_practice ? "Practice: afterwards you are told what was expected." : ""),
  nothingLeft,
  /** What is said after an answer; null: nothing. */
  notice: (reply, draft, confidence) =>
    reply.feedback ? feedbackNotice(reply.feedback, draft, confidence) : null,
};

const DECIDING = {
  name: "ties",
  hasUndo: false, // they have been told what others said
  counted: ({ n_waiting }) => `${n_waiting < 100 ? n_waiting : "100 or more"} others wait for you`,
  banner: () => "People differ about this clip. What they said you are told afterwards.",
  nothingLeft: nothingToDecide,
  notice: (reply, draft, confidence) =>
    reply.others ? othersNotice(reply.others, draft, confidence) : null,
};

/** The desk whose requests go to an address, such as "/api" or "/api/ties". */
export const deskAt = (address) => ({ address, ...(address === "/api" ? LABELLING : DECIDING) });
