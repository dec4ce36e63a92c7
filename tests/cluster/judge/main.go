// Judges objects as Argo CD and Flux do: a JSON list of objects comes in, a JSON list of answers goes out.
//
//	judge kstatus          the kstatus of each, and its message
//	judge lua SCRIPT.lua   what the script returns for each, which it finds as `obj`
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
)

type answer struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	log.SetFlags(0)
	answers := []any{}
	for _, object := range read() {
		if os.Args[1] == "kstatus" {
			answers = append(answers, kstatus(object))
		} else {
			answers = append(answers, run(os.Args[2], object))
		}
	}
	must(json.NewEncoder(os.Stdout).Encode(answers))
}

// Numbers without a fraction are int64, as in what comes from an API server.
func read() []*unstructured.Unstructured {
	var texts []json.RawMessage
	must(json.NewDecoder(os.Stdin).Decode(&texts))
	var objects []*unstructured.Unstructured
	for _, text := range texts {
		object := &unstructured.Unstructured{}
		must(object.UnmarshalJSON(text))
		objects = append(objects, object)
	}
	return objects
}

func kstatus(object *unstructured.Unstructured) answer {
	result, err := status.Compute(object)
	must(err)
	return answer{result.Status.String(), result.Message}
}

// With the libraries that Argo CD leaves to a script of argocd-cm: base, package, table, and of os what tells the time.
func run(script string, object *unstructured.Unstructured) json.RawMessage {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, open := range []lua.LGFunction{lua.OpenPackage, lua.OpenBase, lua.OpenTable, lua.OpenOs} {
		must(state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}))
	}
	clock := state.GetGlobal(lua.OsLibName).(*lua.LTable)
	clock.ForEach(func(name, _ lua.LValue) {
		if name.String() != "date" && name.String() != "time" {
			clock.RawSet(name, lua.LNil)
		}
	})
	state.SetGlobal(lua.OsLibName, lua.LNil)
	text, err := object.MarshalJSON()
	must(err)
	value, err := luajson.Decode(state, text)
	must(err)
	state.SetGlobal("obj", value)
	must(state.DoFile(script))
	returned, err := luajson.Encode(state.Get(-1))
	must(err)
	return returned
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
