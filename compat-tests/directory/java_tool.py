"""One program of the classpath, in the JVM that stays: directory/java_tool.py CLASS ARGUMENT...

JAVA_TOOLS_AT is a folder with two pipes, `in` and `out`, of tools/JavaTools.java. One call at a time.
"""
import json
import os
import sys

FOLDER = os.environ["JAVA_TOOLS_AT"]
CALL_SECONDS = 110


def called(name, *arguments):
    """The status, what was printed, and what was complained of."""
    with open(f"{FOLDER}/in", "w", encoding="utf-8") as calls:
        calls.write(json.dumps({"class": name, "args": list(arguments), "stdin": "", "seconds": CALL_SECONDS}) + "\n")
    with open(f"{FOLDER}/out", encoding="utf-8") as answers:
        answer = json.loads(answers.readline())
    return answer["rc"], answer["out"], answer["err"]


if __name__ == "__main__":
    status, out, err = called(*sys.argv[1:])
    sys.stdout.write(out)
    sys.stderr.write(err)
    sys.exit(status)
