# SPDX-License-Identifier: Apache-2.0
"""How is what was lost written down again: rows of ours, and originals that the centre has forgotten?

Done by an operator, for all pods at once, while nobody works. Words: *fact* (what a routing must say), *contents*
(what was learnt of one pod), *declared* (what the centre says, all of it), *missing* (what servers use and the centre
does not know), *hold* (an identifier that is kept from being given out). May use: ``audit`` (to read pods),
``copies``, ``jobs`` and below. Must never: change anything in a pod, or take a row away because of a list that did not
end well.
"""
