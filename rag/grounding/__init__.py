"""Grounding: what a draft claims, which quotes of the articles it rests on, and how far they carry it.

    lexicon          content words of a text, and every list of words that decides something
    cite             a sentence of a draft → the exact sentences of the passages that say it
    support          a claim and its quotes → the probability that they carry it
    claims           a draft → claims with quotes and support
    answerability    what the model's second look says → whether to give the draft as an answer
    disagreement     where articles state one fact differently

Pure: nothing here knows a model or an index.
"""
