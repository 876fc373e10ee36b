"""On-policy DPO in rounds, each sampling from the model of the last one: python examples/iterate.py [ROUNDS] [LIMIT]

Prints the share of right answers to held-out questions, sampled at temperature 1, before and after each round. LIMIT is
the number of prompts of a round, by default all that are bundled.
"""

import sys

import pairforge
from pairforge.judges.reference import ReferenceJudge

rounds, limit = int((sys.argv[1:] or ["3"])[0]), int(sys.argv[2]) if len(sys.argv) > 2 else None


def right(model: str) -> str:
    """Return the share of right answers to the held-out questions."""
    asked = pairforge.sample("general.eval", model=model, n=4, temperature=1.0, limit=limit, quiet=True)
    scores = [
        score
        for item in asked
        if item.prompt and item.answers
        for score in ReferenceJudge().score(item.prompt, [answer.text for answer in item.answers])
    ]
    return f"{sum(scores) / len(scores):.1%} of {len(scores)} answers are right"


model = "pocket"
print(f"before: {right(model)}", flush=True)
for number in range(1, rounds + 1):
    pairs = pairforge.onpolicy(model=model, n=4, limit=limit, seed=number, quiet=True)
    trained = pairforge.train(pairs.run.path, model=model, output=f"round-{number}", verdict_questions=0)
    model = str(trained.output)
    print(f"round {number}: {pairs.counts['pairs']} pairs, {right(model)}", flush=True)
