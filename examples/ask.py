"""Ask one question and print the answer with its references. Index something first: citewire index add seeds"""

import sys

from citewire import ask

question = " ".join(sys.argv[1:]) or "When did the six-party talks break down?"
print(ask(question))
