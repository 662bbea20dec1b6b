// Reads checkpoints and proofs as JSON, one object after the other, and checks each with
// golang.org/x/mod: the notes by the key given, the newer tree extends the older, the leaf is in it.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Older, Newer string
	Consistency  tlog.TreeProof
	Index        int64
	Leaf         []byte
	Inclusion    tlog.RecordProof
}

func main() {
	verifier, err := note.NewVerifier(os.Args[1])
	refuse(err)
	count := 0
	for input := json.NewDecoder(os.Stdin); ; count++ {
		var q question
		if err := input.Decode(&q); err == io.EOF {
			break
		} else {
			refuse(err)
		}
		older, newer := open(q.Older, verifier), open(q.Newer, verifier)
		refuse(tlog.CheckTree(q.Consistency, newer.N, newer.Hash, older.N, older.Hash))
		refuse(tlog.CheckRecord(q.Inclusion, newer.N, newer.Hash, q.Index, tlog.RecordHash(q.Leaf)))
	}
	fmt.Println(count)
}

func open(text string, verifier note.Verifier) (tree tlog.Tree) {
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	refuse(err)
	lines := strings.Split(opened.Text, "\n")
	_, err = fmt.Sscan(lines[1], &tree.N)
	refuse(err)
	hash, err := base64.StdEncoding.DecodeString(lines[2])
	refuse(err)
	copy(tree.Hash[:], hash)
	return tree
}

func refuse(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
