package token

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFile makes tokens, writes them to a file and finds them there again, and nothing of the
// tokens themselves.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	secrets := map[string]string{}
	for name, role := range map[string]Role{"alice": Operate, "prometheus": Read} {
		secret, e, err := New(name, role)
		if err != nil {
			t.Fatal(err)
		}
		if err := Append(path, e); err != nil {
			t.Fatal(err)
		}
		secrets[name] = secret
	}
	list, err := Load(path)
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range secrets {
		if e, ok := list.Find(secret); !ok || e.Name != name {
			t.Errorf("%s is found as %v, %v", name, e, ok)
		}
		if strings.Contains(string(text), secret) {
			t.Errorf("the file holds the token of %s", name)
		}
		for _, wrong := range []string{"", secret[1:], secret + "x", strings.ToLower(secret)} {
			if e, ok := list.Find(wrong); ok {
				t.Errorf("%q is found as %v", wrong, e)
			}
		}
	}
	if about, err := os.Stat(path); err != nil || about.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", about.Mode(), err)
	}
	_, again, err := New("alice", Read)
	if err != nil {
		t.Fatal(err)
	}
	if err := Append(path, again); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second alice: %v", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("a file that all may write: %v", err)
	}
}

func TestRoles(t *testing.T) {
	if !Operate.Allows(Read) || !Operate.Allows(Operate) || !Read.Allows(Read) || Read.Allows(Operate) || Role("").Allows(Read) {
		t.Error("roles allow what they should not")
	}
}

// TestFaults reports every fault of a list at once, and keeps secrets to itself.
func TestFaults(t *testing.T) {
	const secret = "a-secret-of-enough-characters"
	hash := strings.Repeat("0a", 32)
	text := strings.Join([]string{
		"# a comment", "", "good read sha256:" + hash, "good read sha256:" + hash, "two words", "a/b read sha256:" + hash,
		"x root sha256:" + hash, "y read sha256:12", "z read " + secret,
	}, "\n")
	_, err := Parse([]byte(text), false)
	if err == nil {
		t.Fatal("it is accepted")
	}
	for _, want := range []string{"line 4: there is a token good", "line 5: it has 2 words", `line 6: "a/b"`, `line 7: "root"`, "line 8: the hash of y", "line 9: the token z is not hashed"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("a secret is in the error:\n%v", err)
	}
	if _, err := Parse(nil, true); err == nil {
		t.Error("an empty list is accepted")
	}
	list, err := Parse([]byte("ci operate "+secret), true)
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := list.Find(secret); !ok || e.Name != "ci" {
		t.Errorf("%v, %v", e, ok)
	}
	if _, err := Parse([]byte("ci operate hunter2"), true); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a short token: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("alice operate sha256:"+strings.Repeat("0a", 32)), false)
	f.Add([]byte("# x\n\nci read a-secret-of-enough-characters\n"), true)
	f.Fuzz(func(t *testing.T, data []byte, plain bool) {
		list, err := Parse(data, plain)
		if err != nil {
			return
		}
		var lines []string
		for _, e := range list {
			lines = append(lines, e.String())
		}
		again, err := Parse([]byte(strings.Join(lines, "\n")), false)
		if err != nil || len(again) != len(list) {
			t.Fatalf("%v, %v", again, err)
		}
		for i, e := range again {
			if e != list[i] {
				t.Fatalf("%v, %v", e, list[i])
			}
		}
	})
}
