"""Random programs on a backend, checked call by call against the reference backend.

::

    machine.py       the state machine: draws programs until one fails
    shortening.py    leaves out of it what the failure does not need
    *_rules.py       a rule for each operation, and those that move the clock
    population.py    what is stored before a program begins
    twin.py          makes each call on the backend and on the reference
    agreement.py     says where two answers agree
    view.py          all that can be seen, compared at the end of a program
    program.py       what was done, as a person reads it
    names.py, hostile.py    ids, hashes and text: the same again for the same choices
"""
