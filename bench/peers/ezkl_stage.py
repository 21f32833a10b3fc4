"""One stage of EZKL on the files of a folder, and what it took, as the last line of standard output in JSON.

    python ezkl_stage.py compile | setup | prove | verify FOLDER

The folder has model.onnx (strides and pads written out: EZKL has no defaults for them), calibration.json and input.json (EZKL's
own form: {"input_data": [[...]]}) and, from setup on, powers of tau in kzg.srs. Every stage is a process
of its own, so that its peak of memory is its own. The input is private, parameters are fixed, the output is public. Scales
are calibrated for the target "resources"; all else is as EZKL has it without being asked.
"""

import json
import os
import resource
import sys
import time

import ezkl

TARGET = "resources"


def settings():
    with open("settings.json") as file:
        return json.load(file)


def compile_model():
    run_args = ezkl.PyRunArgs()
    run_args.input_visibility = "private"
    run_args.param_visibility = "fixed"
    run_args.output_visibility = "public"
    require(ezkl.gen_settings("model.onnx", "settings.json", py_run_args=run_args), "gen_settings")
    require(ezkl.calibrate_settings("calibration.json", "model.onnx", "settings.json", TARGET), "calibrate_settings")
    require(ezkl.compile_circuit("model.onnx", "network.ezkl", "settings.json"), "compile_circuit")
    found = settings()
    args = found["run_args"]
    return {
        "version": ezkl.__version__,
        "target": TARGET,
        "logrows": args["logrows"],
        "usedRows": found["num_rows"],
        "assignments": found["total_assignments"],
        "inputScale": args["input_scale"],
        "paramScale": args["param_scale"],
    }


def setup():
    require(ezkl.setup("network.ezkl", "verification.key", "proving.key", "kzg.srs"), "setup")
    return {name: os.path.getsize(file) for name, file in (("provingKeyBytes", "proving.key"), ("verificationKeyBytes", "verification.key"))}


def prove():
    started = time.perf_counter()
    ezkl.gen_witness("input.json", "network.ezkl", "witness.json")
    between = time.perf_counter()
    ezkl.prove("witness.json", "network.ezkl", "proving.key", "proof.json", "kzg.srs")
    ended = time.perf_counter()
    return {"witnessMs": (between - started) * 1e3, "proveMs": (ended - between) * 1e3}


def verify():
    """Whether EZKL's own verifier takes the proof, and what the proof shows."""
    with open("proof.json") as file:
        proof = json.load(file)
    started = time.perf_counter()
    try:
        valid = ezkl.verify("proof.json", "settings.json", "verification.key", "kzg.srs")
        reason = ""
    except RuntimeError as error:
        valid, reason = False, str(error)
    verified = time.perf_counter()
    outputs = [float(x) for part in proof["pretty_public_inputs"]["rescaled_outputs"] for x in part]
    shown = [int(x, 16) for part in proof["pretty_public_inputs"]["outputs"] for x in part]
    # the verifier goes by the instances: what is written for people has to be them
    instances = [int.from_bytes(bytes.fromhex(x.removeprefix("0x")), "little") for part in proof["instances"] for x in part]
    if shown != instances:
        valid, reason = False, "the outputs that it shows are not its instances"
    return {
        "valid": bool(valid),
        "reason": reason,
        "verifyMs": (verified - started) * 1e3,
        "outputs": outputs,
        "proofBytes": len(bytes.fromhex(proof["hex_proof"].removeprefix("0x"))),
    }


def require(done, stage):
    if done is False:
        raise RuntimeError(f"{stage} gave False")


STAGES = {"compile": compile_model, "setup": setup, "prove": prove, "verify": verify}

if __name__ == "__main__":
    stage, folder = sys.argv[1:]
    os.chdir(folder)
    result = STAGES[stage]()
    # in kilobytes on Linux, in bytes on macOS
    unit = 1 if sys.platform == "darwin" else 1024
    result["peakBytes"] = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps(result))
