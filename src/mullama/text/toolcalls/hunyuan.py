"""Hunyuan A13B, whose template says nothing of the marks in which words stand behind a thought.

    <think>
    Thinking…
    </think>
    <answer>
    助手：It is noon.
    </answer>

Calls are found by probing, and so is the word that leads an answer where there are tools.
"""

from mullama.text.syntax import Format

FORMAT = Format(name="hunyuan", said=("<answer>", "</answer>"))
